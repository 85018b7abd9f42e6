"""Keeps files of this machine equal to what has travelled of a market that another machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trainers.recording.travel.parts import Base, lineage
from trainers.tracking.travel.objects import Objects
from trainers.tracking.travel.travelled import Travelled, travelled


class Mirror:
    """Follows the growing files of one market; it alone writes the copies.

    Args:
        objects: the objects of the session's run.
        folder: the session's folder on this machine.
        market: the market's symbol.
        names: the names of the files.

    Attributes:
        found: what the store had at the last look; None before the first.
    """

    def __init__(self, objects: Objects, folder: Path, market: str, names: Sequence[str]) -> None:
        self._objects, self._folder = objects, folder
        self._market, self._names = market, names
        self.found: Travelled | None = None

    def go(self) -> Travelled:
        """Bring the copies up to date; return what the store has.

        Raises:
            ArtifactStoreError: if S3 does not answer; the next call goes on there.
            OSError: if a folder does not take or give something.
        """
        known: dict[int, Base] = self.found.bases if self.found else {}
        found = travelled(self._objects, self._market, known)
        for name in self._names:
            self._append(found, name, self._kept(found, name))
        self.found = found
        return found

    def kept(self, found: Travelled, name: str, size: int) -> int:
        """Return how many of a copy's bytes are still of the market's record.

        What a holder wrote after it was replaced may have been copied before the next began.

        Args:
            found: what the store has now.
            name: the file.
            size: the bytes that the copy has.
        """
        before = self.found.newest if self.found else 0
        later = [found.bases[epoch] for epoch in lineage(found.bases) if epoch > before]
        return min([size, *(base.sizes.get(name, 0) for base in later)])

    def _kept(self, found: Travelled, name: str) -> int:
        path = self._folder / name
        size = path.stat().st_size if path.exists() else 0
        kept = self.kept(found, name, size)
        if kept < size:
            os.truncate(path, kept)
        return kept

    def _append(self, found: Travelled, name: str, since: int) -> None:
        if data := found.read(self._objects, name, since):
            with (self._folder / name).open("ab") as file:
                file.write(data)

"""Keeps files of this machine equal to what has travelled of a market that another machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trainers.recording.travel.local_record import Grown
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

    def sizes(self) -> dict[str, int]:
        """Return the bytes that each copy has."""
        return {name: self._size(name) for name in self._names}

    def append(self, name: str, grown: Grown) -> bool:
        """Append what the market's machine itself has sent; return whether it fits the copy."""
        if fits := grown.at == self._size(name):
            self._write(name, grown.data)
        return fits

    def _kept(self, found: Travelled, name: str) -> int:
        size = self._size(name)
        kept = kept_of(self.found, found, name, size)
        if kept < size:
            os.truncate(self._folder / name, kept)
        return kept

    def _size(self, name: str) -> int:
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0

    def _append(self, found: Travelled, name: str, since: int) -> None:
        self._write(name, found.read(self._objects, name, since))

    def _write(self, name: str, data: bytes) -> None:
        if data:
            with (self._folder / name).open("ab") as file:
                file.write(data)


def kept_of(before: Travelled | None, now: Travelled, name: str, size: int) -> int:
    """Return how many of a copy's bytes are still of the market's record.

    What a holder wrote after it was replaced may have been copied before the next began.

    Args:
        before: what the store had at the last look; None before the first.
        now: what it has now.
        name: the file or ring.
        size: the bytes that the copy has.
    """
    seen = before.newest if before else 0
    later = [now.bases[epoch] for epoch in lineage(now.bases) if epoch > seen]
    return min([size, *(base.sizes.get(name, 0) for base in later)])

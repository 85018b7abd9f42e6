"""Keeps a market's files and rings here equal to those of the machine that has the market."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streaming.config import StreamConfig
from streaming.program.whole_file import write_whole
from streaming.rings.ring import RingWriter
from streaming.symbols import file_name
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, RECORD, TAPE, of_market
from trainers.recording.travel.local_record import Grown, News
from trainers.recording.travel.market_files import ROWS, STATS, TICKS, growing_files
from trainers.tracking.travel.mirror import Mirror, kept_of
from trainers.tracking.travel.objects import Objects
from trainers.tracking.travel.takeover import (
    MAKERS,
    Rings,
    capacities,
    set_stats,
    whole_files,
)
from trainers.tracking.travel.travelled import Travelled, prefix_of


class MarketMirror:
    """Follows all of a market: its files, then its rings. For who looks on, as the page does.

    Args:
        objects: the objects of the session's run.
        folder: the session's folder on this machine.
        market: the market's symbol.
        config: gives the sizes of the rings.
        first: whether it is the session's first market.
    """

    def __init__(
        self, objects: Objects, folder: Path, market: str, config: StreamConfig, *, first: bool
    ) -> None:
        self._objects, self._folder = objects, folder
        self._market, self._config = market, config
        self._files = Mirror(objects, folder, market, growing_files(market, first=first))
        self._rings: dict[str, RingWriter] = {}

    def go(self) -> int:
        """Bring the copies up to date; return the market's epoch, 0 before the first.

        Raises:
            ArtifactStoreError: if S3 does not answer; the next call goes on there.
            RecordError: if the store lacks something. Whoever has the market may just have deleted
                rows that are on tape now: the next call finds them there.
        """
        before = self._files.found
        found = self._files.go()
        if not found.newest:
            return 0
        if not self._rings:
            self._begin()
            return found.newest
        for kind, ring in self._rings.items():
            kept = kept_of(before, found, self._name(kind), self._size(kind))
            ring.take_back(kept // ROWS[kind].itemsize)
        for kind in ROWS:
            self._follow(found, kind)
        set_stats(self._rings[TICKS], self._stats(found.newest))
        return found.newest

    def sizes(self) -> dict[str, int]:
        """Return the bytes that each copy has, for who asks the market's machine for the rest."""
        return self._files.sizes() | {self._name(kind): self._size(kind) for kind in self._rings}

    def add(self, news: News) -> bool:
        """Append what the market's machine itself has sent: the store has it a second later.

        Should that machine be lost first, ``go`` takes back what the next epoch has not taken over.

        Returns:
            Whether all of it fits the copies; else the store has to be asked, by ``go``.
        """
        found = self._files.found
        if found is None or news.epoch != found.newest or not self._rings:
            return False
        rings = {self._name(kind): kind for kind in self._rings}
        fits = [
            self._add_rows(rings[name], grown) if name in rings else self._files.append(name, grown)
            for name, grown in news.grown.items()
        ]
        set_stats(self._rings[TICKS], news.stats)
        return all(fits)

    def _add_rows(self, kind: str, grown: Grown) -> bool:
        if fits := grown.at == self._size(kind):
            self._rings[kind].append(np.frombuffer(grown.data, ROWS[kind]))
        return fits

    def copy_the_rest(self) -> None:
        """Copy what only a whole record needs: the files that are replaced whole, and the tape."""
        found = self._files.found
        if found is None or not found.newest:
            return
        for name, data in whole_files(self._objects, found).items():
            if not name.endswith(STATS):
                write_whole(self._folder / name, data)
        log = of_market(self._folder, self._market, DECISIONS)
        named = [entry["name"] for entry in read_decisions(log) if entry["do"] == "segment"]
        for name in named:
            path = self._folder / TAPE / name
            if not path.exists() and (rows := self._objects.get(f"{RECORD}/{TAPE}/{name}")):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, rows)

    def close(self) -> None:
        """Let go of the rings."""
        for ring in self._rings.values():
            ring.close()

    def _size(self, kind: str) -> int:
        return self._rings[kind].committed * ROWS[kind].itemsize

    def _follow(self, found: Travelled, kind: str) -> None:
        """Append the new rows of a ring."""
        ring, size = self._rings[kind], ROWS[kind].itemsize
        data = found.read(self._objects, self._name(kind), ring.committed * size)
        ring.append(np.frombuffer(data[: len(data) // size * size], ROWS[kind]))
        if not data and found.has_later(self._name(kind), ring.committed * size):
            self._catch_up(kind)

    def _name(self, kind: str) -> str:
        return f"{file_name(self._market)}{kind}"

    def _catch_up(self, kind: str) -> None:
        """Go on behind rows that are only on tape: the store, or who follows it, was long away."""
        ring = self._rings[kind]
        first, rows = self._of_store().newest(kind, capacities(self._config)[kind])
        if first > ring.committed:
            self.close()
            self._begin()  # more than a ring has
        else:
            ring.append(rows[ring.committed - first :])

    def _of_store(self) -> Rings:
        assert self._files.found is not None
        return Rings(self._objects, self._files.found, self._folder, self._config)

    def _begin(self) -> None:
        """Make the rings anew: an earlier copy may end anywhere."""
        found = self._files.found
        assert found is not None
        for kind in ROWS:
            (self._folder / self._name(kind)).unlink(missing_ok=True)
        self._of_store().rebuild()
        self._rings = {
            kind: MAKERS[kind](self._folder, self._market, capacity)
            for kind, capacity in capacities(self._config).items()
        }
        set_stats(self._rings[TICKS], self._stats(found.newest))

    def _stats(self, epoch: int) -> bytes:
        key = f"{prefix_of(self._market, epoch)}/{file_name(self._market)}{STATS}"
        return self._objects.get(key) or b""

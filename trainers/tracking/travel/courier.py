"""Carries a market's record to the artifact store as it grows.

rings, log, ledger, checkpoint of this machine -> parts of this epoch (recording/travel/parts.py)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.cache import bar_ring, quote_ring, tick_cache
from streaming.symbols import file_name
from streaming.tape.segments import NAME
from trainers.recording.files import (
    CHECKPOINT,
    DECISIONS,
    FORECASTS,
    MARKET_OUTBOX,
    RUNS,
    of_market,
)
from trainers.recording.rows import read_names
from trainers.recording.travel.market_files import (
    BARS,
    QUOTES,
    ROWS,
    STATS,
    TICKS,
    growing_files,
    whole_bytes,
)
from trainers.recording.travel.parts import Base, ByteSpan, file_and_offset, part_name, to_write
from trainers.scoring.ledger import FORECAST
from trainers.tracking.travel.objects import Objects

SEGMENT = b'{"do":"segment"'  # the first bytes of the entry of a segment of the tape
RINGS = {TICKS: tick_cache, QUOTES: quote_ring, BARS: bar_ring}


class Sent(NamedTuple):
    """How much of a growing file is in the store, and where its open part begins, bytes."""

    written: int
    open_at: int


class Courier:
    """Carries one market's record.

    Args:
        objects: the objects of the session's run.
        prefix: what the keys of our epoch begin with.
        base: the epoch's beginning.
        folder: the session's folder on this machine.
        market: the market's symbol.
        first: whether it is the session's first market.

    Raises:
        ArtifactStoreError: if S3 does not say what it has of this epoch.
    """

    def __init__(
        self,
        objects: Objects,
        prefix: str,
        base: Base,
        folder: Path,
        market: str,
        *,
        first: bool,
    ) -> None:
        self._objects, self._prefix = objects, prefix
        self._folder, self._market = folder, market
        self._growing = growing_files(market, first=first)
        self._sent = {name: Sent(size, size) for name, size in base.sizes.items()}
        self._whole: dict[str, bytes] = {}  # as they are in the store
        self._learners: list[str] = []
        self._on_tape = {TICKS: 0, QUOTES: 0}  # rows that the tape in the store has
        self._row_parts: dict[str, list[ByteSpan]] = {}
        for name, size in sorted(objects.sizes(prefix).items()):  # of a trainer that was killed
            if part := file_and_offset(name):
                span = ByteSpan(part[1], part[1] + size)
                self._sent[part[0]] = Sent(span.stop, span.start)
                self._row_parts.setdefault(part[0], []).append(span)

    def go(self) -> None:
        """Bring the store up to date.

        Raises:
            ArtifactStoreError: if S3 does not take something; the next call goes on there.
            OSError: if the folder of the store does not.
        """
        whole = dict(self._whole_files())
        new = {name: self._new_bytes(name) for name in reversed(self._growing)}
        for kind, rows in self._new_rows():
            self._put_rows(kind, rows)
        for name in self._growing:
            self._put(name, new[name])
            if name.endswith(DECISIONS):
                self._note_tape(new[name])
        for name, data in whole.items():
            if self._whole.get(name) != data:
                self._objects.put(f"{self._prefix}/{name}", data)
                self._whole[name] = data

    # ---- what there is

    def _whole_files(self) -> Iterator[tuple[str, bytes]]:
        for kind in (RUNS, CHECKPOINT):
            path = of_market(self._folder, self._market, kind)
            if not path.exists():
                continue
            data = path.read_bytes()
            # A checkpoint is followed only by what it has not seen: all before it must have been
            # delivered, as the batches in the outbox stay on this machine.
            if kind != CHECKPOINT or self._is_delivered:
                yield path.name, data
        if (path := self._folder / self._ring_name(TICKS)).exists():
            stats = tick_cache(self._folder, self._market).stats
            yield f"{file_name(self._market)}{STATS}", stats.tobytes()

    @property
    def _is_delivered(self) -> bool:
        outbox = of_market(self._folder, self._market, MARKET_OUTBOX)
        return not outbox.exists() or not outbox.stat().st_size

    def _new_bytes(self, name: str) -> bytes:
        """Return the bytes of a file from its open part on, up to its last whole entry."""
        path = self._folder / name
        if not path.exists():
            return b""
        sent = self._sent.get(name, Sent(0, 0))
        with path.open("rb") as file:
            file.seek(sent.open_at)
            data = file.read()
        if name.endswith(FORECASTS) and not self._learners:
            self._learners = read_names(path, FORECAST)
        return data[: max(0, whole_bytes(name, data, sent.open_at, self._learners) - sent.open_at)]

    def _new_rows(self) -> Iterator[tuple[str, bytes]]:
        """Return the new rows of each ring: none that refers to what came after the last look.

        A quote says after how many ticks it came, a bar which ticks and quotes it has.
        """
        stops: dict[str, int] = {}
        for kind, opened in RINGS.items():
            if not (self._folder / self._ring_name(kind)).exists():
                return
            ring, size = opened(self._folder, self._market), ROWS[kind].itemsize
            at = self._sent.get(self._ring_name(kind), Sent(0, 0)).open_at
            first, rows = ring.read(at // size)
            if kind == QUOTES:
                rows = rows[: _leading(rows["after"] <= stops[TICKS])]
            if kind == BARS:
                known = (rows["final_seq"] <= stops[TICKS]) & (rows["final_quote"] <= stops[QUOTES])
                rows = rows[: _leading(known)]
            stops[kind] = first + len(rows)
            if first * size > at and len(rows):  # overwritten meanwhile: the tape has them
                self._sent[self._ring_name(kind)] = Sent(first * size, first * size)
            # A part ends after so many bytes, the open one may begin within a row.
            yield kind, rows.tobytes()[max(0, at - first * size) :]

    # ---- what is put

    def _put(self, name: str, data: bytes) -> list[ByteSpan]:
        """Put the bytes of a file from its open part on."""
        sent = self._sent.get(name, Sent(0, 0))
        start = sent.open_at
        spans = to_write(start, sent.written, start + len(data))
        for span in spans:
            part = data[span.start - start : span.stop - start]
            self._objects.put(f"{self._prefix}/{part_name(name, span.start)}", part)
            self._sent[name] = Sent(span.stop, span.start)
        return spans

    def _put_rows(self, kind: str, data: bytes) -> None:
        name = self._ring_name(kind)
        there = {span.start: span for span in self._row_parts.get(name, ())}
        there |= {span.start: span for span in self._put(name, data)}
        self._row_parts[name] = list(there.values())

    def _ring_name(self, kind: str) -> str:
        return f"{file_name(self._market)}{kind}"

    # ---- what is on tape

    def _note_tape(self, lines: bytes) -> None:
        """Note which rows the tape in the store has: the log in the store names its segments."""
        for line in lines.split(b"\n"):
            if line.startswith(SEGMENT) and (
                match := NAME.fullmatch(msgspec.json.decode(line)["name"])
            ):
                kind = QUOTES if match["kind"] else TICKS
                self._on_tape[kind] = max(self._on_tape[kind], int(match["stop"]))

    def forget_what_is_on_tape(self) -> None:
        """Delete the full parts of rows that the tape in the store has.

        Only who has the newest epoch may: whoever has taken over needs what another's tape has.

        Raises:
            ArtifactStoreError, OSError: as ``go``.
        """
        for kind, stop in self._on_tape.items():
            name = self._ring_name(kind)
            open_at = self._sent.get(name, Sent(0, 0)).open_at
            gone = [
                span
                for span in self._row_parts.get(name, ())
                if span.stop <= stop * ROWS[kind].itemsize and span.start < open_at
            ]
            for span in gone:
                self._objects.delete(f"{self._prefix}/{part_name(name, span.start)}")
                self._row_parts[name].remove(span)


def _leading(known: NDArray[np.bool]) -> int:
    """Return how many are true before the first that is not.

    >>> _leading(np.array([True, True, False, True]))
    2
    """
    return int(np.logical_and.accumulate(known).sum())

"""Carries a market's record to the artifact store as it grows.

rings, log, ledger, checkpoint of this machine -> parts of this epoch (recording/travel/parts.py)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from streaming.symbols import file_name
from streaming.tape.segments import NAME
from trainers.recording.files import (
    CHECKPOINT,
    DECISIONS,
    MARKET_OUTBOX,
    RUNS,
    of_market,
)
from trainers.recording.travel.local_record import LocalRecord
from trainers.recording.travel.market_files import (
    QUOTES,
    ROWS,
    STATS,
    TICKS,
    growing_files,
)
from trainers.recording.travel.parts import Base, ByteSpan, file_and_offset, part_name, to_write
from trainers.tracking.travel.objects import Objects

SEGMENT = b'{"do":"segment"'  # the first bytes of the entry of a segment of the tape


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
        self._here = LocalRecord(folder, market)
        self._growing = growing_files(market, first=first)
        self._sent = {name: Sent(size, size) for name, size in base.sizes.items()}
        self._whole: dict[str, bytes] = {}  # as they are in the store
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
            OSError: if the folder of the store does not, or this machine's folder is gone.
        """
        whole = dict(self._whole_files())
        new = {name: self._here.file(name, self._open_at(name)) for name in reversed(self._growing)}
        rows = list(self._here.rows({name: at.open_at for name, at in self._sent.items()}))
        for name, grown in rows:
            if grown.at > self._open_at(name):  # overwritten meanwhile: the tape has them
                self._sent[name] = Sent(grown.at, grown.at)
            self._put_rows(name, grown.data)
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
        if stats := self._here.stats:
            yield f"{file_name(self._market)}{STATS}", stats

    @property
    def _is_delivered(self) -> bool:
        outbox = of_market(self._folder, self._market, MARKET_OUTBOX)
        return not outbox.exists() or not outbox.stat().st_size

    def _open_at(self, name: str) -> int:
        return self._sent.get(name, Sent(0, 0)).open_at

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

    def _put_rows(self, name: str, data: bytes) -> None:
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
            open_at = self._open_at(name)
            gone = [
                span
                for span in self._row_parts.get(name, ())
                if span.stop <= stop * ROWS[kind].itemsize and span.start < open_at
            ]
            for span in gone:
                self._objects.delete(f"{self._prefix}/{part_name(name, span.start)}")
                self._row_parts[name].remove(span)

"""A session's record, read back: its settings, journal, ledgers and ticks, each looked at twice.

A record is the session's folder, or the artifacts of its run on another machine.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streaming.bars import BarBuilder
from streaming.cache import tick_cache
from streaming.errors import StreamingError, TapeError
from streaming.tape import read_tape
from streaming.tape.segments import Segment, segments
from streaming.ticks import NS_PER_MS, Ticks, make_ticks
from trainers.config import SessionConfig
from trainers.drivers.streams import RecordedStream
from trainers.recording.decision_log import Entry, read_journal
from trainers.recording.files import CONFIG, JOURNAL, RUNS, TAPE
from trainers.recording.ledger import LedgerRows, read_ledger


class RecordError(StreamingError):
    """A record lacks something or was changed: say what, replay nothing."""


class Record(NamedTuple):
    """What a session has left.

    Attributes:
        folder: of its files.
        config: its settings.
        entries: of its journal, up to the end of the last whole cycle and what follows.
        runs: MLflow run ids by ``SYMBOL/learner``.
    """

    folder: Path
    config: SessionConfig
    entries: list[Entry]
    runs: dict[str, str]

    @property
    def cycles(self) -> int:
        """Whole cycles, of all symbols."""
        return sum(entry["do"] == "end" for entry in self.entries)

    @property
    def market_ns(self) -> tuple[int, int]:
        """Market time of the first and the last cut."""
        cuts = [entry["now"] for entry in self.entries if entry["do"] == "cut"]
        return min(cuts), max(cuts)

    def ledger(self, symbol: str) -> LedgerRows:
        """Return a symbol's ledger."""
        return read_ledger(self.folder, symbol)

    def stream(self, symbol: str) -> RecordedStream:
        """Return a symbol's ticks, and the bars that they make.

        Raises:
            RecordError: if ticks are missing or not those that were recorded.
        """
        ticks = read_ticks(self.folder, symbol, self.entries)
        bars = BarBuilder(self.config.grace_ms * NS_PER_MS).update(ticks.copy())
        return RecordedStream(ticks, bars)


def read_record(folder: Path) -> Record:
    """Read a record.

    Raises:
        RecordError: if it is not there, or no cycle of it is whole.
        StreamingError: if a file is damaged or another version's.
    """
    for name in (CONFIG, JOURNAL, RUNS):
        if not (folder / name).exists():
            raise RecordError(f"{folder}: expected a session's {name}, there is none")
    entries = read_journal(folder / JOURNAL)
    if not any(entry["do"] == "end" for entry in entries):
        raise RecordError(f"{folder / JOURNAL}: no cycle has ended yet, so nothing can be replayed")
    runs = json.loads((folder / RUNS).read_text(encoding="utf-8"))
    return Record(folder, SessionConfig.load(folder / CONFIG), entries, runs)


def read_ticks(folder: Path, symbol: str, entries: list[Entry]) -> Ticks:
    """Return a symbol's ticks from the first on: from its tape, then what the cache still holds.

    Raises:
        RecordError: if some that a cycle has seen are missing, or a segment's content is another.
    """
    hashes = {entry["name"]: entry["sha256"] for entry in entries if entry["do"] == "segment"}
    tape = segments(folder / TAPE, symbol)
    names = {segment.path.name for segment in tape}
    mine = {name: sha for name, sha in hashes.items() if name.startswith(f"{symbol}-")}
    if missing := sorted(mine.keys() - names):
        raise RecordError(f"{folder / TAPE / missing[0]}: the tape lacks this segment; {RESTORE}")
    ticks, stop = [make_ticks(0)], 0
    for segment in tape:
        if segment.first != stop:
            raise RecordError(
                f"{folder / TAPE}: ticks {stop} to {segment.first - 1} of {symbol} are not on tape;"
                f" {RESTORE}"
            )
        ticks.append(_content(segment, symbol, mine.get(segment.path.name)))
        stop = segment.stop
    ticks.append(_from_cache(folder, symbol, stop))
    found = np.concatenate(ticks)
    seen = [
        entry["ticks"] for entry in entries if entry["do"] == "cut" and entry["symbol"] == symbol
    ]
    if len(found) < max(seen, default=0):
        raise RecordError(
            f"{folder / TAPE}: the tape of {symbol} ends after {len(found)} ticks, the last cycle"
            f" has seen {max(seen)}; {RESTORE}"
        )
    return found


RESTORE = "restore it from the artifacts of the session's run"


def _content(segment: Segment, symbol: str, recorded: str | None) -> Ticks:
    found = hashlib.sha256(segment.path.read_bytes()).hexdigest()
    if recorded is not None and found != recorded:
        raise RecordError(
            f"{segment.path}: expected SHA-256 {recorded[:16]}..., found {found[:16]}...; it was"
            f" cut off or changed since it was recorded: {RESTORE}"
        )
    try:
        ticks = read_tape(segment.path, symbol)
    except TapeError as e:
        raise RecordError(str(e)) from e
    if len(ticks) != segment.stop - segment.first:
        raise RecordError(
            f"{segment.path}: expected {segment.stop - segment.first} ticks, found {len(ticks)};"
            f" {RESTORE}"
        )
    return ticks


def _from_cache(folder: Path, symbol: str, start: int) -> Ticks:
    """Return the ticks that a killed feed had not put on tape yet."""
    if not (folder / f"{symbol}.ticks").exists():
        return make_ticks(0)
    first, rows = tick_cache(folder, symbol).read(start)
    return rows if first == start else make_ticks(0)

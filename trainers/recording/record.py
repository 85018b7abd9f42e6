"""A session's record, read back: its settings, journal, ledgers and ticks, each looked at twice.

A record is the session's folder, or the artifacts of its run on another machine.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streaming.bars import BarBuilder
from streaming.cache import tick_cache
from streaming.errors import TapeError
from streaming.tape import read_tape
from streaming.tape.segments import Segment, segments
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks
from trainers.config import SessionConfig
from trainers.engine.drivers.streams import RecordedStream
from trainers.recording.decision_log import Entry, read_decisions
from trainers.recording.errors import RecordError
from trainers.recording.files import (
    CONFIG,
    DECISIONS,
    RUNS,
    SUMS,
    TAPE,
    check_format,
    of_market,
)
from trainers.recording.ledger import LedgerRows, read_ledger


class MarketRecord(NamedTuple):
    """What a session has left of one market.

    Attributes:
        folder: of the session's files.
        market: its symbol.
        entries: of its decision log, up to the end of the last whole cycle and what follows.
        runs: MLflow run ids by learner.
        grace_ms: setting of the session by which its bars were made.
    """

    folder: Path
    market: str
    entries: list[Entry]
    runs: dict[str, str]
    grace_ms: int

    @property
    def cycles(self) -> int:
        """Whole cycles."""
        return sum(entry["do"] == "end" for entry in self.entries)

    @property
    def market_seconds(self) -> float:
        """Market time from the first cycle to the last."""
        begun = [entry["now"] for entry in self.entries if entry["do"] == "cycle"]
        return (max(begun) - min(begun)) / NS_PER_S if begun else 0.0

    @property
    def hashes(self) -> dict[int, dict[str, Any]]:
        """What each whole cycle computed, by cycle and stage."""
        return {entry["cycle"]: entry["hashes"] for entry in self.entries if entry["do"] == "end"}

    def ledger(self) -> LedgerRows:
        """Return the market's ledger."""
        return read_ledger(self.folder, self.market)

    def stream(self) -> RecordedStream:
        """Return the market's ticks, and the bars that they make.

        Raises:
            RecordError: if ticks are missing or not those that were recorded.
        """
        ticks = read_ticks(self.folder, self.market, self.entries)
        bars = BarBuilder(self.grace_ms * NS_PER_MS).update(ticks.copy())
        return RecordedStream(ticks, bars)


class Record(NamedTuple):
    """What a session has left.

    Attributes:
        config: its settings.
        markets: by symbol, those of which a cycle is whole.
        sums: which cycle of which market made the session's metrics, by the session's step.
    """

    config: SessionConfig
    markets: dict[str, MarketRecord]
    sums: dict[int, dict[str, int]]


def read_record(folder: Path) -> Record:
    """Read a record.

    Raises:
        RecordError: if it is not there, is an older version's, or no cycle of it is whole.
        TickloopError: if a file is damaged or another version's.
    """
    check_format(folder)
    if not (folder / CONFIG).exists():
        raise RecordError(f"{folder}: expected a session's {CONFIG}, there is none")
    config = SessionConfig.load(folder / CONFIG)
    markets = {}
    for market in config.symbol_list:
        found = _market(folder, market, config.grace_ms)
        if found.cycles:
            markets[market] = found
    if not markets:
        raise RecordError(f"{folder}: no cycle has ended yet, so nothing can be replayed")
    return Record(config, markets, read_sums(folder))


def _market(folder: Path, market: str, grace_ms: int) -> MarketRecord:
    for kind in (DECISIONS, RUNS):
        path = of_market(folder, market, kind)
        if not path.exists():
            raise RecordError(f"{folder}: expected the market's {path.name}, there is none")
    entries = read_decisions(of_market(folder, market, DECISIONS))
    runs = json.loads(of_market(folder, market, RUNS).read_text(encoding="utf-8"))
    return MarketRecord(folder, market, entries, runs, grace_ms)


def read_sums(folder: Path) -> dict[int, dict[str, int]]:
    """Return which cycle of which market made the session's metrics, by the session's step."""
    path = folder / SUMS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {entry["cycle"]: entry["of"] for entry in map(json.loads, lines)}


def read_ticks(folder: Path, symbol: str, entries: list[Entry]) -> Ticks:
    """Return a market's ticks from the first on: from its tape, then what the cache still holds.

    Raises:
        RecordError: if some that a cycle has seen are missing, or a segment's content is another.
    """
    hashes = {entry["name"]: entry["sha256"] for entry in entries if entry["do"] == "segment"}
    tape = segments(folder / TAPE, symbol)
    names = {segment.path.name for segment in tape}
    if missing := sorted(hashes.keys() - names):
        raise RecordError(f"{folder / TAPE / missing[0]}: the tape lacks this segment; {RESTORE}")
    ticks, stop = [make_ticks(0)], 0
    for segment in tape:
        if segment.first != stop:
            raise RecordError(
                f"{folder / TAPE}: ticks {stop} to {segment.first - 1} of {symbol} are not on tape;"
                f" {RESTORE}"
            )
        ticks.append(_content(segment, symbol, hashes.get(segment.path.name)))
        stop = segment.stop
    ticks.append(_from_cache(folder, symbol, stop))
    found = np.concatenate(ticks)
    seen = [entry["watermark"]["ticks"] for entry in entries if entry["do"] == "cycle"]
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

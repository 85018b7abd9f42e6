"""Reads a session's record: its settings, decision logs, ledgers and ticks, all of them checked.

A record is the session's folder, or the artifacts of its run on another machine.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streaming.bars import BarBuilder
from streaming.tape.segments import segments
from streaming.ticks import NS_PER_MS, NS_PER_S
from trainers.config import SessionConfig
from trainers.engine.drivers.streams import RecordedStream
from trainers.engine.events import STREAMS
from trainers.recording.contents.entries import Entry
from trainers.recording.contents.stream_rows import read_rows
from trainers.recording.decision_log import checked_decisions
from trainers.recording.errors import RESTORE, RecordError
from trainers.recording.files import (
    CONFIG,
    DECISIONS,
    RUNS,
    SUMS,
    TAPE,
    check_format,
    json_lines,
    of_market,
    read_json,
)
from trainers.recording.ledger import LedgerContents, read_ledger


class MarketRecord(NamedTuple):
    """The record of one market.

    Attributes:
        folder: the folder with the session's files.
        market: the market's symbol.
        entries: all entries of the decision log, oldest first; the last cycle may lack its end.
        runs: the MLflow run ids by learner.
        grace_ms: the session's setting with which its bars were built.
        bar_ns: the length of these bars, ns.
    """

    folder: Path
    market: str
    entries: list[Entry]
    runs: dict[str, str]
    grace_ms: int
    bar_ns: int

    @property
    def cycles(self) -> int:
        """The number of whole cycles."""
        return sum(entry["do"] == "end" for entry in self.entries)

    @property
    def market_seconds(self) -> float:
        """Market time from the beginning of the first cycle to that of the last, s."""
        begun = [entry["now"] for entry in self.entries if entry["do"] == "cycle"]
        return (max(begun) - min(begun)) / NS_PER_S if begun else 0.0

    @property
    def hashes(self) -> dict[int, dict[str, Any]]:
        """The hashes of each whole cycle, by cycle and stage."""
        return {entry["cycle"]: entry["hashes"] for entry in self.entries if entry["do"] == "end"}

    @property
    def stands(self) -> bool:
        """Whether the record has the market's standing in the session; older ones have none."""
        ends = [entry for entry in self.entries if entry["do"] == "end"]
        return all(entry.get("standing") is not None for entry in ends)

    def ledger(self) -> LedgerContents:
        """Return the market's ledger."""
        return read_ledger(self.folder, self.market)

    def stream(self) -> RecordedStream:
        """Return the market's streams and the bars built from them.

        Raises:
            RecordError: if rows are missing, or a segment of the tape was changed.
        """
        ticks, quotes = (
            read_rows(self.folder, self.market, self.entries, stream) for stream in STREAMS
        )
        bars = BarBuilder(self.grace_ms * NS_PER_MS, bar_ns=self.bar_ns).update(
            ticks.copy(), quotes.copy()
        )
        return RecordedStream(ticks, quotes, bars)


class Sum(msgspec.Struct):
    """A line of the sums: the cycle of each market that made the session's metrics at a step."""

    cycle: int
    of: dict[str, int]


class Record(NamedTuple):
    """The record of a session.

    Attributes:
        config: the session's settings.
        markets: the markets that have a whole cycle, by symbol.
        sums: the cycle of each market, by symbol, that was combined into the session's metrics;
            by the session's step.
    """

    config: SessionConfig
    markets: dict[str, MarketRecord]
    sums: dict[int, dict[str, int]]


def read_record(folder: Path) -> Record:
    """Read the record in a folder; ticks and ledgers are read later, on demand.

    Raises:
        RecordError: if a file is missing, damaged or of an older version, or no cycle is whole.
        ConfigError: if a setting is wrong.
    """
    check_format(folder)
    if not (folder / CONFIG).exists():
        raise RecordError(f"{folder}: expected a session's {CONFIG}, there is none")
    config = SessionConfig.load(folder / CONFIG)
    markets = {}
    for market in config.symbol_list:
        found = _market(folder, market, config)
        if found.cycles:
            markets[market] = found
    if not markets:
        raise RecordError(f"{folder}: no cycle has ended yet, so nothing can be replayed")
    return Record(config, markets, read_sums(folder))


def _market(folder: Path, market: str, config: SessionConfig) -> MarketRecord:
    # A recording without learners has no runs of them, and no such file.
    for kind in (DECISIONS, RUNS) if config.learner_list else (DECISIONS,):
        path = of_market(folder, market, kind)
        if not path.exists():
            raise RecordError(f"{folder}: expected the market's {path.name}, there is none")
    entries = checked_decisions(of_market(folder, market, DECISIONS))
    _check_nothing_dropped(folder, market, entries)
    runs = read_runs(folder, market)
    return MarketRecord(folder, market, entries, runs, config.grace_ms, config.bar_ns)


def _check_nothing_dropped(folder: Path, market: str, entries: list[Entry]) -> None:
    """Check that a market's tape has its beginning, without which no cycle can be replayed."""
    dropped = {entry["name"] for entry in entries if entry["do"] == "dropped"}
    if not dropped:
        return
    tape = segments(folder / TAPE, market)
    first = tape[0].first if tape else 0
    cycles = [entry for entry in entries if entry["do"] == "cycle"]
    whole = [
        cycle["cycle"]
        for before, cycle in itertools.pairwise(cycles)
        if before["watermark"]["ticks"] >= first
    ]
    raise RecordError(
        f"{folder / TAPE}: {len(dropped)} of {market}'s segments were dropped, as keep_days says,"
        f" and a replay begins with the first; the ticks that were new in cycle"
        f" {whole[0] if whole else 'none'} and later are there: backtest them with"
        f" --source tape:{folder / TAPE}"
    )


def read_runs(folder: Path, market: str) -> dict[str, str]:
    """Return the MLflow run ids of a market's learners; none if there is no file of them yet.

    Raises:
        RecordError: if the file is damaged.
    """
    path = of_market(folder, market, RUNS)
    advice = f"{RESTORE}, or resume the session, which makes it anew"
    try:
        return read_json(path, dict[str, str], "the run ids by learner", advice)
    except FileNotFoundError:
        return {}


def read_sums(folder: Path) -> dict[int, dict[str, int]]:
    """Return the cycle of each market that made the session's metrics, by the session's step.

    Raises:
        RecordError: if a line is damaged.
    """
    return {sum_.cycle: sum_.of for sum_ in json_lines(folder / SUMS, Sum, RESTORE)}

"""The ledger of one market: two files of rows in the session's folder.

    SYMBOL.outcomes   one row per bar
    SYMBOL.forecasts  one row per bar and learner

The outcome of a bar is written before the forecasts made at its close, so a kill between the two
leaves a bar without forecasts, never forecasts without their bar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainers.recording.errors import LedgerError
from trainers.recording.files import FORECASTS, OUTCOMES, of_market
from trainers.recording.rows import RowFile, map_rows, read_names, read_newest, read_rows
from trainers.scoring.ledger import FORECAST, OUTCOME, Forecasts, Outcomes, rows_between

PIECE_BARS = 20_000  # some 30 MB with twelve learners


class LedgerContents(NamedTuple):
    """The rows of a ledger at the time of reading.

    Attributes:
        names: the learners' names; a forecast's ``learner`` is an index into them.
        outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        forecasts: ``(N,)`` of dtype ``FORECAST``, oldest first.
    """

    names: list[str]
    outcomes: Outcomes
    forecasts: Forecasts


def read_ledger(folder: Path, symbol: str) -> LedgerContents:
    """Read all complete rows of a ledger; its writer may be at work.

    The outcomes hold the bar of every forecast; the newest bar may lack its forecasts.

    Args:
        folder: the session's folder.
        symbol: the market.

    Raises:
        LedgerError: if a file does not have this version's format.
        FileNotFoundError: if there is no ledger: its writer has not started yet.
    """
    outcomes_file, forecasts_file = ledger_files(folder, symbol)
    read_names(outcomes_file, OUTCOME)
    names = read_names(forecasts_file, FORECAST)
    forecasts = read_rows(forecasts_file, FORECAST)
    return LedgerContents(names, read_rows(outcomes_file, OUTCOME), forecasts)


def newest_forecasts(folder: Path, symbol: str, most: int) -> tuple[list[str], Forecasts]:
    """Read the newest forecasts of a ledger and no others; its writer may be at work.

    Args:
        folder: the session's folder.
        symbol: the market.
        most: how many at most; 0 for all there are.

    Returns:
        the learners' names, and ``(n,)`` of dtype ``FORECAST``, oldest first.

    Raises:
        LedgerError: if the file does not have this version's format.
        FileNotFoundError: if there is no ledger: its writer has not started yet.
    """
    _, file = ledger_files(folder, symbol)
    return read_names(file, FORECAST), read_newest(file, FORECAST, most)


class Piece(NamedTuple):
    """Some consecutive bars of a ledger.

    Attributes:
        contents: the bars' rows; unless it is the last piece, behind them the outcomes of the bars
            that follow, by which those of the piece's last bars are known.
        bars: how many bars the piece has.
        last: whether it is the ledger's last piece.
    """

    contents: LedgerContents
    bars: int
    last: bool


def ledger_pieces(
    folder: Path, symbol: str, bars: int = PIECE_BARS, *, ahead: int = 1
) -> Iterator[Piece]:
    """Yield a ledger piece by piece, in the memory of one; its writer may be at work.

    Args:
        folder: the session's folder.
        symbol: the market.
        bars: how many bars a piece has.
        ahead: how many bars later an outcome is known.

    Yields:
        one piece at least; an empty one without names if there is no ledger.

    Raises:
        LedgerError: if a file does not have this version's format.
    """
    outcomes_file, forecasts_file = ledger_files(folder, symbol)
    if not forecasts_file.exists():  # its writer, who makes the outcomes first, has not started
        yield Piece(LedgerContents([], np.zeros(0, OUTCOME), np.zeros(0, FORECAST)), 0, last=True)
        return
    read_names(outcomes_file, OUTCOME)
    names = read_names(forecasts_file, FORECAST)
    forecasts = map_rows(forecasts_file, FORECAST)  # first, so that each has its bar
    outcomes = map_rows(outcomes_file, OUTCOME)
    for start in range(0, max(1, len(outcomes)), bars):
        some = outcomes[start : start + bars + ahead]
        last = start + bars >= len(outcomes)
        n = min(bars, len(some))
        times = some["bar"][[0, n - 1]] if n else (0, 0)
        of_them = rows_between(forecasts, int(times[0]) - 1, int(times[1]))
        yield Piece(LedgerContents(names, some, of_them), n, last)


class Ledger:
    """The only writer of a market's ledger, which it locks; continues a ledger that exists.

    Args:
        folder: the session's folder.
        symbol: the market.
        names: the learners' names.

    Attributes:
        found: the rows that the ledger held at opening.
        torn: the number of rows, half-written by a killed writer, that were cut off at opening.

    Raises:
        LedgerError: if another process writes the ledger, or it has another version's format or
            other learners.
    """

    def __init__(self, folder: Path, symbol: str, names: Sequence[str]) -> None:
        outcomes_file, forecasts_file = ledger_files(folder, symbol)
        self._outcomes = RowFile(outcomes_file, OUTCOME, names)
        try:
            self._forecasts = RowFile(forecasts_file, FORECAST, names, group=max(1, len(names)))
        except BaseException:
            self._outcomes.close()
            raise
        self.found = LedgerContents(list(names), self._outcomes.found, self._forecasts.found)
        self.torn = self._outcomes.torn + self._forecasts.torn
        self._last = {"outcome": _last_bar(self._outcomes.found),
                      "forecasts": _last_bar(self._forecasts.found)}  # fmt: skip

    @property
    def last_bar(self) -> int:
        """Open time of the newest bar written, ns; -1 before the first."""
        return self._last["outcome"]

    def write(self, outcome: Outcomes, forecasts: Forecasts) -> str:
        """Write the rows of a bar, or compare them with those that were found at opening.

        A restarted trainer computes the last rows once more, hence the comparison. A bar that a
        killed writer left without forecasts gets them now.

        Args:
            outcome: ``(1,)`` of dtype ``OUTCOME``.
            forecasts: ``(n,)`` of dtype ``FORECAST``, made at that bar's close.

        Returns:
            A text that says how the rows differ from those in the ledger; empty if they do not.

        Raises:
            LedgerError: if the bar is not later than the newest one and was not found at opening,
                or a forecast belongs to another bar.
        """
        bar = int(outcome["bar"][0])
        if strangers := np.unique(forecasts["bar"][forecasts["bar"] != bar]).tolist():
            raise LedgerError(
                f"{self._forecasts.path}: expected forecasts made at bar {bar}, got some of"
                f" {strangers}: write each bar with its own"
            )
        differs = self._differs(bar, outcome, forecasts)
        if bar > self._last["outcome"]:
            self._outcomes.append(outcome)
            self._last["outcome"] = bar
        if len(forecasts) and bar > self._last["forecasts"]:
            self._forecasts.append(forecasts)
            self._last["forecasts"] = bar
        return differs

    def extend(self, outcomes: Outcomes, forecasts: Forecasts) -> None:
        """Write the rows of further bars, all later than those in the ledger, at once.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of the same bars, oldest first.

        Raises:
            LedgerError: if a bar is not later than the one before it.
        """
        if not len(outcomes):
            return
        bars = np.concatenate([[self.last_bar], outcomes["bar"]])
        if (np.diff(bars) <= 0).any():
            raise LedgerError(
                f"{self._outcomes.path}: expected bars after {self.last_bar}, got {bars[1:]}:"
                " write each bar once, in order"
            )
        self._outcomes.append(outcomes)
        self._forecasts.append(forecasts)
        self._last = {"outcome": int(bars[-1]), "forecasts": int(bars[-1])}

    def _differs(self, bar: int, outcome: Outcomes, forecasts: Forecasts) -> str:
        """Compare a bar's rows with those found at opening, except for their latencies."""
        if bar > self._last["outcome"]:
            return ""
        before = rows_between(self.found.outcomes, bar - 1, bar)
        if len(before) == 0:
            raise LedgerError(
                f"{self._outcomes.path}: expected a bar after {self._last['outcome']}, got {bar}:"
                " write each bar once, in order"
            )
        if before.tobytes() != outcome.tobytes():
            return f"bar {bar} came to {outcome[0]}; the ledger has {before}"
        after = rows_between(self.found.forecasts, bar - 1, bar)
        for name in FORECAST.names or ():
            same = name == "latency_us" or after[name].tobytes() == forecasts[name].tobytes()
            if len(after) and not same:
                return f"{name} at bar {bar} is {forecasts[name]}; the ledger has {after[name]}"
        return ""

    def close(self) -> None:
        """Close the files and release their locks."""
        self._outcomes.close()
        self._forecasts.close()


def _last_bar(rows: Outcomes | Forecasts) -> int:
    return int(rows["bar"][-1]) if len(rows) else -1


def ledger_files(folder: Path, symbol: str) -> tuple[Path, Path]:
    """Return the paths of a market's outcomes and forecasts."""
    return of_market(folder, symbol, OUTCOMES), of_market(folder, symbol, FORECASTS)

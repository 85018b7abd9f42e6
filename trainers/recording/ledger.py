"""The ledger of one symbol: two files of rows in the session's folder.

    SYMBOL.outcomes   one row a bar
    SYMBOL.forecasts  one row a bar and learner

The outcome of a bar is written before the forecasts made at its close, so that a kill between
the two leaves a bar that lacks forecasts, never forecasts without their bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainers.recording.errors import LedgerError
from trainers.recording.files import FORECASTS, OUTCOMES, of_market
from trainers.recording.rows import RowFile, read_names, read_rows
from trainers.scoring.ledger import FORECAST, OUTCOME, Forecasts, Outcomes, rows_between


class LedgerRows(NamedTuple):
    """What a ledger held when it was read.

    Attributes:
        names: of the learners; a forecast's ``learner`` is an index into them.
        outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        forecasts: ``(N,)`` of dtype ``FORECAST``, oldest first.
    """

    names: list[str]
    outcomes: Outcomes
    forecasts: Forecasts


def read_ledger(folder: Path, symbol: str) -> LedgerRows:
    """Read the whole rows of a ledger, while it is written or later.

    The bar of every forecast is among the outcomes; the newest may lack forecasts still.

    Raises:
        LedgerError: if a file is not of this version.
        FileNotFoundError: if there is no ledger (the writer has not started yet).
    """
    outcomes_file, forecasts_file = ledger_files(folder, symbol)
    read_names(outcomes_file, OUTCOME)
    names = read_names(forecasts_file, FORECAST)
    forecasts = read_rows(forecasts_file, FORECAST)
    return LedgerRows(names, read_rows(outcomes_file, OUTCOME), forecasts)


class Ledger:
    """The one writer of a market's ledger; goes on with the files that are there.

    Args:
        folder: the session's.
        symbol: the market.
        names: of the learners.

    Attributes:
        found: the rows that were there at opening.
        torn: rows cut off at opening, left half-written by a killed writer.

    Raises:
        LedgerError: if another process writes it, or it was made by another version or with
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
        self.found = LedgerRows(list(names), self._outcomes.found, self._forecasts.found)
        self.torn = self._outcomes.torn + self._forecasts.torn
        self._last = {"outcome": _last_bar(self._outcomes.found),
                      "forecasts": _last_bar(self._forecasts.found)}  # fmt: skip

    @property
    def last_bar(self) -> int:
        """The newest bar written, ns; -1 before the first."""
        return self._last["outcome"]

    def write(self, outcome: Outcomes, forecasts: Forecasts) -> str:
        """Write a bar, or look whether what is written of it already is the same.

        A trainer that was started again computes the last rows once more. A bar whose forecasts
        a killed writer did not get to write is completed by them.

        Args:
            outcome: ``(1,)`` of dtype ``OUTCOME``.
            forecasts: ``(n,)`` of dtype ``FORECAST``, made at that bar's close.

        Returns:
            In what the rows differ from those written; nothing if they do not.

        Raises:
            LedgerError: if the bar is older than all that is written and was not there at opening,
                or a forecast is not of it.
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

    def _differs(self, bar: int, outcome: Outcomes, forecasts: Forecasts) -> str:
        """Compare with what was there at opening; how long forecasts took is not compared."""
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
        """Give up the write locks; the files stay."""
        self._outcomes.close()
        self._forecasts.close()


def _last_bar(rows: Outcomes | Forecasts) -> int:
    return int(rows["bar"][-1]) if len(rows) else -1


def ledger_files(folder: Path, symbol: str) -> tuple[Path, Path]:
    """Return where outcomes and forecasts of a symbol are."""
    return of_market(folder, symbol, OUTCOMES), of_market(folder, symbol, FORECASTS)

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

from trainers.recording.rows import LedgerError, RowFile, read_names, read_rows
from trainers.scoring.ledger import FORECAST, OUTCOME, Forecasts, Outcomes


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
    """The one writer of a symbol's ledger; goes on with the files that are there.

    Args:
        folder: the session's.
        symbol: the market.
        names: of the learners.

    Attributes:
        torn: rows cut off at opening, left half-written by a killed writer.

    Raises:
        LedgerError: if another process writes it, or it was made by another version or with
            other learners.
    """

    def __init__(self, folder: Path, symbol: str, names: Sequence[str]) -> None:
        outcomes_file, forecasts_file = ledger_files(folder, symbol)
        self._names = list(names)
        self._outcomes = RowFile(outcomes_file, OUTCOME, names)
        try:
            self._forecasts = RowFile(forecasts_file, FORECAST, names, group=max(1, len(names)))
        except BaseException:
            self._outcomes.close()
            raise
        self.torn = self._outcomes.torn + self._forecasts.torn

    @property
    def last_bar(self) -> int:
        """The newest bar written, ns; -1 before the first."""
        rows = self.outcomes()
        return int(rows["bar"][-1]) if len(rows) else -1

    def outcomes(self) -> Outcomes:
        """Return all outcomes so far, oldest first, without reading the file again."""
        return self._outcomes.rows

    def forecasts(self) -> Forecasts:
        """Return all forecasts so far, oldest first, without reading the file again."""
        return self._forecasts.rows

    def has(self, bar: int) -> bool:
        """Tell whether a bar and the forecasts made at its close are written."""
        if bar > self.last_bar:
            return False
        return len(self._names) == 0 or len(self.rows_of(bar)) > 0

    def rows_of(self, bar: int) -> Forecasts:
        """Return the forecasts made at a bar's close; none if there are none."""
        return self.between(bar - 1, bar)[1]

    def between(self, after: int, to: int) -> tuple[Outcomes, Forecasts]:
        """Return the rows of the bars later than ``after`` up to ``to``, ns."""
        found = []
        for rows in (self.outcomes(), self.forecasts()):
            first, stop = np.searchsorted(rows["bar"], [after, to], side="right")
            found.append(rows[first:stop])
        return found[0], found[1]

    def differs(self, outcome: Outcomes, forecasts: Forecasts) -> str:
        """Say in what rows differ from those written; nothing if they are the same.

        How long the forecasts took is not compared.
        """
        bar = int(outcome["bar"][0])
        before, after = self.between(bar - 1, bar)
        if before.tobytes() != outcome.tobytes():
            return f"bar {bar} came to {outcome[0]}; the ledger has {before}"
        for name in FORECAST.names or ():
            if name != "latency_us" and after[name].tobytes() != forecasts[name].tobytes():
                return f"{name} at bar {bar} is {forecasts[name]}; the ledger has {after[name]}"
        return ""

    def append(self, outcome: Outcomes, forecasts: Forecasts) -> None:
        """Write a bar: its outcome, and the forecasts made at its close.

        Args:
            outcome: ``(1,)`` of dtype ``OUTCOME``.
            forecasts: ``(n,)`` of dtype ``FORECAST``, of that bar.

        A bar whose forecasts a killed writer did not get to write is completed by them.

        Raises:
            LedgerError: if the bar is not newer than the last one, or a forecast is not of it.
        """
        bar = int(outcome["bar"][0])
        completes = bar == self.last_bar and not self.has(bar)
        if bar <= self.last_bar and not completes:
            raise LedgerError(
                f"{self._outcomes.path}: expected a bar after {self.last_bar}, got {bar}:"
                " append each bar once, in order"
            )
        if strangers := np.unique(forecasts["bar"][forecasts["bar"] != bar]).tolist():
            raise LedgerError(
                f"{self._forecasts.path}: expected forecasts made at bar {bar}, got some of"
                f" {strangers}: append each bar with its own"
            )
        if not completes:
            self._outcomes.append(outcome)
        if len(forecasts):
            self._forecasts.append(forecasts)

    def close(self) -> None:
        """Give up the write locks; the files stay."""
        self._outcomes.close()
        self._forecasts.close()


def ledger_files(folder: Path, symbol: str) -> tuple[Path, Path]:
    """Return where outcomes and forecasts of a symbol are."""
    return folder / f"{symbol}.outcomes", folder / f"{symbol}.forecasts"

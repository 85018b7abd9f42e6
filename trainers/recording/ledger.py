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
        self._outcomes = RowFile(outcomes_file, OUTCOME, names)
        try:
            self._forecasts = RowFile(forecasts_file, FORECAST, names)
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

    def append(self, outcome: Outcomes, forecasts: Forecasts) -> None:
        """Write a bar: its outcome, and the forecasts made at its close.

        Args:
            outcome: ``(1,)`` of dtype ``OUTCOME``.
            forecasts: ``(n,)`` of dtype ``FORECAST``, of that bar.

        Raises:
            LedgerError: if the bar is not newer than the last one, or a forecast is not of it.
        """
        bar = int(outcome["bar"][0])
        if bar <= self.last_bar:
            raise LedgerError(
                f"{self._outcomes.path}: expected a bar after {self.last_bar}, got {bar}:"
                " append each bar once, in order"
            )
        if strangers := np.unique(forecasts["bar"][forecasts["bar"] != bar]).tolist():
            raise LedgerError(
                f"{self._forecasts.path}: expected forecasts made at bar {bar}, got some of"
                f" {strangers}: append each bar with its own"
            )
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

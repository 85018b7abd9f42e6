"""Reads the ledger of one market while it is written, each row once.

SYMBOL.outcomes, SYMBOL.forecasts -> LedgerTail -> new rows
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainers.recording.ledger import LedgerContents, ledger_files
from trainers.recording.rows import read_names, read_rows
from trainers.scoring.ledger import FORECAST, OUTCOME


class LedgerTail:
    """A reader that returns the new rows of a ledger at each call.

    Args:
        folder: the session's folder.
        symbol: the market.

    Attributes:
        names: the learners' names; empty until there is a ledger.
    """

    def __init__(self, folder: Path, symbol: str) -> None:
        self._outcomes_file, self._forecasts_file = ledger_files(folder, symbol)
        self._outcomes = self._forecasts = 0  # the numbers of rows returned so far
        self.names: list[str] = []

    def read(self) -> LedgerContents:
        """Return the rows written since the last call; none while there is no ledger.

        The bar of every forecast is among the outcomes of this call or of an earlier one.

        Raises:
            LedgerError: if a file does not have this version's format.
        """
        try:
            self.names = self.names or self._names()
        except FileNotFoundError:
            return LedgerContents([], np.zeros(0, OUTCOME), np.zeros(0, FORECAST))
        forecasts = read_rows(self._forecasts_file, FORECAST, self._forecasts)
        outcomes = read_rows(self._outcomes_file, OUTCOME, self._outcomes)
        self._outcomes += len(outcomes)
        self._forecasts += len(forecasts)
        return LedgerContents(self.names, outcomes, forecasts)

    def _names(self) -> list[str]:
        read_names(self._outcomes_file, OUTCOME)
        return read_names(self._forecasts_file, FORECAST)

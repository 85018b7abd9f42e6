"""The ledger of one symbol, read while it is written: each row once.

SYMBOL.outcomes, SYMBOL.forecasts -> LedgerTail -> only what is new
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainers.recording.ledger import LedgerRows, ledger_files
from trainers.recording.rows import read_names, read_rows
from trainers.scoring.ledger import FORECAST, OUTCOME


class LedgerTail:
    """Hands out the rows of a ledger as they come.

    Args:
        folder: the session's.
        symbol: the market.

    Attributes:
        names: of the learners; empty until there is a ledger.
    """

    def __init__(self, folder: Path, symbol: str) -> None:
        self._outcomes_file, self._forecasts_file = ledger_files(folder, symbol)
        self._outcomes = self._forecasts = 0  # rows handed out
        self.names: list[str] = []

    def read(self) -> LedgerRows:
        """Return the rows since the last call; none while there is no ledger.

        The bar of every forecast has been handed out with it, or before.

        Raises:
            LedgerError: if a file is not of this version.
        """
        try:
            self.names = self.names or self._names()
        except FileNotFoundError:
            return LedgerRows([], np.zeros(0, OUTCOME), np.zeros(0, FORECAST))
        forecasts = read_rows(self._forecasts_file, FORECAST, self._forecasts)
        outcomes = read_rows(self._outcomes_file, OUTCOME, self._outcomes)
        self._outcomes += len(outcomes)
        self._forecasts += len(forecasts)
        return LedgerRows(self.names, outcomes, forecasts)

    def _names(self) -> list[str]:
        read_names(self._outcomes_file, OUTCOME)
        return read_names(self._forecasts_file, FORECAST)

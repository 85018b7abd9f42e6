"""Forecast probabilities counted on a grid: their order costs the same for any number. Pure.

Probabilities of one cell count as equal: 4,096 cells tell them apart to 0.00025. The counts are
what AUC and the calibration of a whole session follow from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CELLS = 4096


class Grid(NamedTuple):
    """The forecasts of bars whose close moved, by cell of their probability, ``(CELLS,)`` each.

    Attributes:
        up: float64, the number of those that rose.
        down: float64, the number of those whose close fell.
        error: float64, the sum of (1 or 0, as it rose or fell, less the probability).
    """

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    error: NDArray[np.float64]

    def plus(self, probability: NDArray[np.float64], up: NDArray[np.float64]) -> Grid:
        """Return these and more forecasts, ``(k,)``; no bit depends on how they are grouped."""
        if len(up) == 0:
            return self
        cells, rose = cells_of(probability), up > 0
        error = self.error.copy()
        np.add.at(error, cells, up - probability)  # in their order
        return Grid(
            self.up + np.bincount(cells[rose], minlength=CELLS),
            self.down + np.bincount(cells[~rose], minlength=CELLS),
            error,
        )


EMPTY = Grid(np.zeros(CELLS), np.zeros(CELLS), np.zeros(CELLS))


def cells_of(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cell of each probability."""
    return np.minimum((probability * CELLS).astype(np.int64), CELLS - 1)

"""One learner's forecasts beside what came of them, bar by bar. Pure.

Only forecasts that were made in time count; the others keep the position and are scored as
nothing. A forecast whose next bar is not there yet is waiting.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.transitions import Action
from trainers.scoring.ledger import MADE, MISSED, Forecasts
from trainers.scoring.moves import Moves


class Cases(NamedTuple):
    """The forecasts that have a direction to be right about, oldest first, ``(n,)`` each.

    Attributes:
        probability: float64, that it goes up.
        up: float64, 1 if it went up, 0 if down.
        before: float64, the last direction known when the forecast was made: 1, -1, 0 none.
    """

    probability: NDArray[np.float64]
    up: NDArray[np.float64]
    before: NDArray[np.float64]


class Scored:
    """The forecasts of one learner and the moves that they were about, ``(T,)`` each.

    Args:
        moves: of every bar.
        probability: float64 of up, NaN where none was made.
        signal: int8, 0 HOLD, 1 BUY, 2 SELL; HOLD where no forecast was made.
        status: uint8, as in the ledger.

    Attributes:
        matured: where a probability was given and what it was about is known.
        scored: where that has matured and the close moved.
        flat: where it did not: there is no direction to be right about.
        broken: where a forecast was made and a gap took its label away.
    """

    def __init__(
        self,
        moves: Moves,
        probability: NDArray[np.float64],
        signal: NDArray[np.int8],
        status: NDArray[np.uint8],
    ) -> None:
        self.moves, self.probability, self.signal, self.status = moves, probability, signal, status
        known = ~(moves.broken | moves.waiting)
        moved = moves.moved != 0
        self.matured: NDArray[np.bool_] = known & ~np.isnan(probability)
        self.scored: NDArray[np.bool_] = self.matured & moved
        self.flat: NDArray[np.bool_] = self.matured & ~moved
        self.broken: NDArray[np.bool_] = moves.broken & (status == MADE)

    def __len__(self) -> int:
        return len(self.status)

    @property
    def first(self) -> int:
        """The bar of the first forecast made, as an index; ``T`` if there is none."""
        made = self.status == MADE
        return int(made.argmax()) if made.any() else len(self)

    def cases(self) -> Cases:
        """Return the forecasts that are scored."""
        at = self.scored
        up = (self.moves.moved[at] > 0).astype(np.float64)
        return Cases(self.probability[at], up, self.moves.direction[at])

    def count(self, status: int) -> int:
        """Return the bars of a status."""
        return int((self.status == status).sum())

    def since(self, start: int) -> Scored:
        """Return the bars from index ``start`` on."""
        return Scored(
            self.moves.since(start),
            self.probability[start:],
            self.signal[start:],
            self.status[start:],
        )


def scored_of(moves: Moves, forecasts: Forecasts, learner: int) -> Scored:
    """Join one learner's forecasts with the moves.

    A bar without a row, which only a killed writer leaves, counts as missed.

    Args:
        moves: of the ledger's outcomes, ``(T,)``.
        forecasts: ``(N,)`` of dtype ``FORECAST``, of all learners.
        learner: index into the ledger's names.
    """
    rows = forecasts[forecasts["learner"] == learner]
    at = np.searchsorted(moves.bar, rows["bar"])
    n = len(moves.bar)
    known = at < n
    known[known] = moves.bar[at[known]] == rows["bar"][known]
    rows, at = rows[known], at[known]
    made = rows["status"] == MADE
    probability = np.full(n, np.nan)
    probability[at] = np.where(made, rows["probability"], np.nan)
    signal = np.full(n, Action.HOLD, np.int8)
    signal[at] = np.where(made, rows["signal"], Action.HOLD)
    status = np.full(n, MISSED, np.uint8)
    status[at] = rows["status"]
    return Scored(moves, probability, signal, status)

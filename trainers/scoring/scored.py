"""One learner's forecasts beside the moves that they were about, bar by bar. Pure.

Only forecasts that were made in time count. Where there is none the position is kept, and nothing
is scored. A probability is about the label, a horizon ahead; an action is about the next bar.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.transitions import Action
from trainers.scoring.ledger import MADE, MISSED, Forecasts
from trainers.scoring.moves import Moves


class Samples(NamedTuple):
    """The forecasts of bars whose close moved, oldest first, ``(n,)`` each.

    Attributes:
        probability: float64, the forecast probability of a rise.
        up: float64, 1 if the price forecast rose by the horizon, 0 if it fell.
        before: float64, the last direction known when the forecast was made: 1, -1, 0 none.
    """

    probability: NDArray[np.float64]
    up: NDArray[np.float64]
    before: NDArray[np.float64]


class Scored:
    """The forecasts of one learner and the moves that they were about, ``(T,)`` each.

    Args:
        moves: the moves after the bars.
        probability: float64, the probability of a rise; NaN where no forecast was made.
        signal: int8, 0 HOLD, 1 BUY, 2 SELL; HOLD where no forecast was made.
        status: uint8, as in the ledger.

    Masks of these bars are made when they are asked for first: most parts that are cut are only
    joined again.
    """

    def __init__(
        self,
        moves: Moves,
        probability: NDArray[np.float64],
        signal: NDArray[np.int8],
        status: NDArray[np.uint8],
    ) -> None:
        self.moves, self.probability, self.signal, self.status = moves, probability, signal, status

    @functools.cached_property
    def _said(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.probability)

    @functools.cached_property
    def _lost(self) -> NDArray[np.bool_]:
        return np.where(self._said, self.moves.lost, self.moves.broken)

    @functools.cached_property
    def known(self) -> NDArray[np.bool_]:
        """Where what a forecast would be about is known."""
        return ~(self._lost | np.where(self._said, self.moves.open, self.moves.waiting))

    @functools.cached_property
    def matured(self) -> NDArray[np.bool_]:
        """Where a probability was forecast and the move is known."""
        return self.known & self._said

    @functools.cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Where a matured forecast is about a close that moved."""
        those: NDArray[np.bool_] = self.matured & (self.moves.moved != 0)
        return those

    @functools.cached_property
    def flat(self) -> NDArray[np.bool_]:
        """Where a matured forecast is about a close that did not: it has no direction."""
        those: NDArray[np.bool_] = self.matured & (self.moves.moved == 0)
        return those

    @functools.cached_property
    def broken(self) -> NDArray[np.bool_]:
        """Where a forecast was made whose label a gap took away."""
        those: NDArray[np.bool_] = self._lost & (self.status == MADE)
        return those

    def __len__(self) -> int:
        return len(self.status)

    @property
    def first(self) -> int:
        """Index of the bar at which the first forecast was made; ``T`` if there is none."""
        made = self.status == MADE
        return int(made.argmax()) if made.any() else len(self)

    @property
    def tested(self) -> bool:
        """Whether a forecast was made, of a probability or an action, whose move is known."""
        return bool(((self.status == MADE) & self.known).any())

    def samples(self) -> Samples:
        """Return the forecasts that are scored."""
        at = self.scored
        up = (self.moves.moved[at] > 0).astype(np.float64)
        return Samples(self.probability[at], up, self.moves.direction[at])

    def then(self, later: Scored) -> Scored:
        """Return these bars and later ones."""
        return Scored(
            self.moves.then(later.moves),
            np.concatenate([self.probability, later.probability]),
            np.concatenate([self.signal, later.signal]),
            np.concatenate([self.status, later.status]),
        )

    def count(self, status: int) -> int:
        """Return the number of bars with a status."""
        return int((self.status == status).sum())

    def since(self, start: int) -> Scored:
        """Return the bars from index ``start`` on."""
        return Scored(
            self.moves.since(start),
            self.probability[start:],
            self.signal[start:],
            self.status[start:],
        )

    def before(self, stop: int) -> Scored:
        """Return the bars before index ``stop``."""
        return Scored(
            self.moves.before(stop),
            self.probability[:stop],
            self.signal[:stop],
            self.status[:stop],
        )


def scored_of(moves: Moves, forecasts: Forecasts, learner: int) -> Scored:
    """Join one learner's forecasts with the moves.

    A bar without a row, which only a killed writer leaves, counts as missed.

    Args:
        moves: the moves of the ledger's outcomes, ``(T,)``.
        forecasts: ``(N,)`` of dtype ``FORECAST``, those of all learners.
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

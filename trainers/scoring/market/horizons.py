"""How large a market's moves are over several horizons, and what they need to pay. Pure.

A longer move is larger, but to get in and out costs the same: so a horizon tells which accuracy
would pay, whether somebody forecasts that far or not.
"""

from __future__ import annotations

import numpy as np

from datamodules.target import Target
from trainers.names import HORIZON
from trainers.scoring.batches import Batches
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import OUTCOME, Outcomes
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.scores import SIZE, break_even, costs_of

SECONDS = (1, 5, 15, 60, 300)  # the horizons of every market, as far as they are whole bars


class Horizons:
    """The moves of a market over all horizons, as bars come.

    Args:
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: what is forecast; its horizon is one of them too.
    """

    def __init__(self, fee_bps: float, target: Target) -> None:
        self._fee_bps, bar = fee_bps, target.bar_seconds
        whole = [seconds // bar for seconds in SECONDS if seconds % bar == 0]
        self._targets = [target._replace(horizon=h) for h in sorted({*whole, target.horizon})]
        self._costs = [Batches.none(2, one.overlap) for one in self._targets]
        self._newest = np.zeros(0, OUTCOME)  # as many as the longest move takes

    def take(self, outcomes: Outcomes) -> None:
        """Take further bars, ``(T,)`` of dtype ``OUTCOME``; no bit depends on their grouping."""
        rows = np.concatenate([self._newest, outcomes])
        for i, target in enumerate(self._targets):
            # A move is new if its last bar is.
            part = rows[max(0, len(self._newest) - target.horizon) :]
            found = costs_of(moves_of(part, target), self._fee_bps)
            self._costs[i] = self._costs[i].plus(*found)
        self._newest = rows[-self._targets[-1].horizon :].copy()

    def scores(self) -> dict[str, Estimate | None]:
        """Return a move's mean size and the accuracy needed, as ``horizon/5s/move_bps``, ..."""
        found: dict[str, Estimate | None] = {}
        for target, costs in zip(self._targets, self._costs, strict=True):
            if costs.n:
                prefix = f"{HORIZON}{target.horizon * target.bar_seconds}s/"
                found[f"{prefix}move_bps"] = costs.mean_of(SIZE)
                found[f"{prefix}break_even"] = break_even(costs)
        return found

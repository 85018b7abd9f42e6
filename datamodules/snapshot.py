"""What one cycle may learn from: everything known when it begins, nothing after it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streaming.bars import Bars


class Snapshot(NamedTuple):
    """The market as known when a cycle begins.

    Attributes:
        symbol: the market.
        cycle: number of the cycle that learns, from 1.
        bars: ``(T,)`` of dtype ``BAR``, consecutive final bars, oldest first.
        seed: the session's; generators derive from (seed, learner, cycle).
    """

    symbol: str
    cycle: int
    bars: Bars
    seed: int

    def rng(self, learner: str) -> np.random.Generator:
        """Return the generator of one learner in this cycle, the same at every replay."""
        return np.random.default_rng([self.seed, *learner.encode(), self.cycle])


class NotEnoughBarsError(ValueError):
    """A learner needs more bars, or more of what is made of them: try again in the next cycle."""

    def __init__(self, have: int, need: int, what: str = "bars") -> None:
        super().__init__(f"warming up {have}/{need} {what}")
        self.have, self.need = have, need

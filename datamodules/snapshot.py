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
        seed: the session's; generators derive from (seed, market, learner, cycle).
    """

    symbol: str
    cycle: int
    bars: Bars
    seed: int

    def rng(self, learner: str) -> np.random.Generator:
        """Return the generator of one learner in this cycle, the same at every replay."""
        return np.random.default_rng(entropy(self.seed, self.symbol, learner, self.cycle))


def entropy(seed: int, market: str, learner: str, *more: int) -> list[int]:
    """Return what a generator is seeded with, so that no two markets or learners share one.

    >>> entropy(7, "AB", "c", 1)
    [7, 2, 65, 66, 1, 99, 1]
    """
    names = [number for name in (market, learner) for number in _numbers(name)]
    return [seed, *names, *more]


def _numbers(name: str) -> list[int]:
    encoded = name.encode()
    return [len(encoded), *encoded]


class NotEnoughBarsError(ValueError):
    """A learner needs more bars, or more of what is made of them: try again in the next cycle."""

    def __init__(self, have: int, need: int, what: str = "bars") -> None:
        super().__init__(f"warming up {have}/{need} {what}")
        self.have, self.need = have, need

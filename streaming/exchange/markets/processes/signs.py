"""Directions persist, sizes say nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.chain import Chain, Floats
from streaming.exchange.markets.normal import MEAN_SIZE
from streaming.exchange.markets.process import Stationary


@dataclasses.dataclass(frozen=True)
class Signs(Stationary):
    """A return has the sign of the one before with probability ``same``; its size is |N(0, 1)|.

    The state is the sign before, 0 if there is none.

    Attributes:
        same: right in max(same, 1 - same) of all seconds.
    """

    same: float = 0.6

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        last = 1.0 if rng.random() < 0.5 else -1.0
        while True:
            signs = last * np.cumprod(2.0 * (rng.random(n) < self.same) - 1)
            last = float(signs[-1])
            yield signs * np.abs(rng.standard_normal(n))

    def states(self, returns: Floats) -> Floats:
        return np.concatenate([[0.0], np.sign(returns)])[:-1]

    def up(self, states: Floats) -> Floats:
        return 0.5 + (self.same - 0.5) * states

    def mean(self, states: Floats) -> Floats:
        return (2 * self.same - 1) * MEAN_SIZE * states

    def chain(self) -> Chain:
        turn = 1 - self.same
        return Chain(np.array([-1.0, 1.0]), np.array([[self.same, turn], [turn, self.same]]))

"""Independent returns: nothing can be known. What is learned here is a mistake of the learner."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.chain import Chain, Floats
from streaming.exchange.markets.process import Stationary


@dataclasses.dataclass(frozen=True)
class Martingale(Stationary):
    """Returns are standard normal; the state is always 0."""

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        while True:
            yield rng.standard_normal(n)

    def states(self, returns: Floats) -> Floats:
        return np.zeros(len(returns))

    def up(self, states: Floats) -> Floats:
        return np.full(len(states), 0.5)

    def mean(self, states: Floats) -> Floats:
        return np.zeros(len(states))

    def chain(self) -> Chain:
        return Chain(np.zeros(1), np.ones((1, 1)))

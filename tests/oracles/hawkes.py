"""The side of the next order, as exactly as the orders before it tell.

Given the excitement a+ and a- that the orders so far have left, the intensities of buys and sells
after a time u are mu + a exp(-decay u), and

    P(next is a buy) = integral of (mu + a+ exp(-decay u)) exp(-integral of both intensities) du
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets import hawkes
from streaming.exchange.markets.arrivals import BLOCK_S, Arrivals
from streaming.exchange.markets.hawkes import BALANCED
from streaming.exchange.markets.processes.process import Floats
from tests.oracles.bayes import Answer, with_book

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)  # on (-1, 1)


def orders_per_s(arrivals: Arrivals) -> float:
    """Return how many orders of both sides come a second in the long run."""
    return arrivals.parents_per_s / (1 - arrivals.own_side - arrivals.other_side)


class Flow(NamedTuple):
    """Orders in time order, and what those before say about each of them.

    Attributes:
        time: ``(n,)`` seconds since an empty past.
        side: ``(n,)`` +1 or -1.
        buy: ``(n,)`` the exact P(``side[i]`` = 1 given the orders before it, not its time).
    """

    time: Floats
    side: NDArray[np.int8]
    buy: Floats


class Hawkes(hawkes.Hawkes):
    """The market of orders with its exact rule."""

    def draw(self, rng: Generator, minutes: int) -> Flow:
        """Return the orders of the first minutes."""
        balanced = itertools.repeat(BALANCED, minutes * 60 // BLOCK_S)
        parts = list(self.arrivals.blocks(rng, balanced))
        time = np.concatenate([BLOCK_S * i + part[0] for i, part in enumerate(parts)])
        side = np.concatenate([part[1] for part in parts])
        return Flow(time, side, self.buy(time, side))

    def buy(self, time: Floats, side: NDArray[np.int8]) -> Floats:
        """Return ``(n,)`` the probability that each of ``(n,)`` orders is a buy, before it is."""
        buys, sells = self._excitement(time, side)
        mu, decay = self.arrivals.parents_per_s / 2, self.arrivals.decay_per_s
        # The variable of integration is w = exp(-2 mu u), the chance that no order without a parent
        # has come yet: (0, 1) covers all time. left is 1 at the last order and 0 long after it.
        left = ((1 + NODES) / 2) ** (decay / (2 * mu))
        alone = np.exp(-(buys + sells)[:, None] * (1 - left) / decay)
        result: Floats = (1 + buys[:, None] * left / mu) * alone @ WEIGHTS / 4
        return result

    def answer(self, shows: float = 0.5, minutes: int = 240) -> Answer:
        """Return the figures of the exact rule, from a drawn flow: to about 0.002."""
        return with_book(self.draw(np.random.default_rng(0), minutes).buy, shows)

    def _excitement(self, time: Floats, side: NDArray[np.int8]) -> tuple[Floats, Floats]:
        """Return the excitement of buys and of sells, ``(n,)``, after the order before each."""
        decay = self.arrivals.decay_per_s
        own, other = self.arrivals.own_side * decay, self.arrivals.other_side * decay
        before = np.empty((2, len(time)))
        buys, sells, last = 0.0, 0.0, 0.0
        for i, (now, sign) in enumerate(zip(time.tolist(), side.tolist(), strict=True)):
            before[:, i] = buys, sells
            left = math.exp(-decay * (now - last))
            buys = buys * left + (own if sign > 0 else other)
            sells = sells * left + (other if sign > 0 else own)
            last = now
        return before[0], before[1]

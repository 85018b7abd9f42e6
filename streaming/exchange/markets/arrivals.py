"""When taker orders arrive and on which side: a bivariate Hawkes process, by clusters.

An order of one side excites further orders of its own side and, less, of the other: each order
has Poisson-many children, exponentially delayed. Drawing parents and then generations of
children is exact and needs no thinning.

Source: A. Hawkes and D. Oakes, A cluster process representation of a self-exciting process (1974).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

BLOCK_S = 60  # market seconds drawn at a time

Orders = tuple[NDArray[np.float64], NDArray[np.int8]]
NONE: Orders = (np.zeros(0), np.zeros(0, np.int8))


@dataclasses.dataclass(frozen=True)
class Arrivals:
    """Orders of both sides from an empty past on; the defaults are those of most markets.

    Attributes:
        parents_per_s: how many orders without a parent come, both sides together.
        own_side: how many children an order has on its own side, on average.
        other_side: how many on the other side; the sum of both is below 1, or orders explode.
        decay_per_s: how fast the excitement fades.
    """

    parents_per_s: float = 5.6
    own_side: float = 0.45
    other_side: float = 0.15
    decay_per_s: float = 6.0

    def blocks(self, rng: Generator, lean: Iterator[NDArray[np.float64]]) -> Iterator[Orders]:
        """Yield ``(time, side)`` of the orders of each block, in time order.

        Args:
            rng: source of all draws.
            lean: for each block ``(BLOCK_S,)``: how far the sides of orders without a parent
                lean, from -1 all sell to +1 all buy.

        Yields:
            Seconds since the block's start ``(n,)`` and the taker's side ``(n,)``, +1 or -1.
        """
        carried = NONE
        for block_lean in lean:
            born = _join(carried, self._parents(rng, block_lean))
            done = carried = NONE
            while len(born[0]):
                inside = born[0] < BLOCK_S
                carried = _join(carried, (born[0][~inside], born[1][~inside]))
                now = (born[0][inside], born[1][inside])
                done = _join(done, now)
                born = self._children(rng, now)
            carried = (carried[0] - BLOCK_S, carried[1])
            in_order = np.argsort(done[0], kind="stable")
            yield done[0][in_order], done[1][in_order]

    def _parents(self, rng: Generator, lean: NDArray[np.float64]) -> Orders:
        time = rng.uniform(0, BLOCK_S, rng.poisson(self.parents_per_s * BLOCK_S))
        buys = rng.random(len(time)) < (1 + lean[time.astype(np.int64)]) / 2
        return time, np.where(buys, 1, -1).astype(np.int8)

    def _children(self, rng: Generator, parents: Orders) -> Orders:
        own = self._of_one_side(rng, *parents, self.own_side)
        return _join(own, self._of_one_side(rng, parents[0], -parents[1], self.other_side))

    def _of_one_side(
        self, rng: Generator, time: NDArray[np.float64], side: NDArray[np.int8], mean: float
    ) -> Orders:
        count = rng.poisson(mean, len(time))
        born = np.repeat(time, count)
        return born + rng.exponential(1 / self.decay_per_s, len(born)), np.repeat(side, count)


def _join(a: Orders, b: Orders) -> Orders:
    return np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])

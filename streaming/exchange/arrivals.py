"""When taker orders arrive and on which side: a bivariate Hawkes process, by clusters.

An order of one side excites further orders of its own side and, less, of the other: each order
has Poisson-many children, exponentially delayed. Drawing parents and then generations of
children is exact and needs no thinning.

Source: A. Hawkes and D. Oakes, A cluster process representation of a self-exciting process (1974).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

BLOCK_S = 60  # market seconds drawn at a time

PARENTS_PER_S = 5.6
OWN_SIDE, OTHER_SIDE = 0.45, 0.15  # children an order: a branching ratio of 0.6
DECAY_PER_S = 6.0

ORDERS_PER_S = PARENTS_PER_S / (1 - OWN_SIDE - OTHER_SIDE)

Orders = tuple[NDArray[np.float64], NDArray[np.int8]]


def orders(rng: Generator, lean: Iterator[NDArray[np.float64]]) -> Iterator[Orders]:
    """Yield ``(time, side)`` of the orders of each block, in time order.

    Args:
        rng: source of all draws.
        lean: for each block ``(BLOCK_S,)``: how far the sides of orders without a parent lean,
            from -1 all sell to +1 all buy.

    Yields:
        Seconds since the block's start ``(n,)`` and the taker's side ``(n,)``, +1 or -1.
    """
    carried: Orders = (np.zeros(0), np.zeros(0, np.int8))
    for block_lean in lean:
        born = _join(carried, _parents(rng, block_lean))
        done = carried = (np.zeros(0), np.zeros(0, np.int8))
        while len(born[0]):
            inside = born[0] < BLOCK_S
            carried = _join(carried, (born[0][~inside], born[1][~inside]))
            now = (born[0][inside], born[1][inside])
            done = _join(done, now)
            born = _join(_children(rng, *now, OWN_SIDE, 1), _children(rng, *now, OTHER_SIDE, -1))
        carried = (carried[0] - BLOCK_S, carried[1])
        in_order = np.argsort(done[0], kind="stable")
        yield done[0][in_order], done[1][in_order]


def _parents(rng: Generator, lean: NDArray[np.float64]) -> Orders:
    time = rng.uniform(0, BLOCK_S, rng.poisson(PARENTS_PER_S * BLOCK_S))
    buys = rng.random(len(time)) < (1 + lean[time.astype(np.int64)]) / 2
    return time, np.where(buys, 1, -1).astype(np.int8)


def _children(
    rng: Generator, time: NDArray[np.float64], side: NDArray[np.int8], mean: float, sign: int
) -> Orders:
    count = rng.poisson(mean, len(time))
    born = np.repeat(time, count)
    return born + rng.exponential(1 / DECAY_PER_S, len(born)), np.repeat(
        side * np.int8(sign), count
    )


def _join(a: Orders, b: Orders) -> Orders:
    return np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])

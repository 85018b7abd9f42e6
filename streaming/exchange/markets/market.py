"""A market: taker orders and the mid they meet, block after block.

process ─> returns of seconds ─> moves ─┬─> blocks
                              orders ───┘
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.arrivals import BLOCK_S, Arrivals
from streaming.exchange.markets.processes.process import Process

STEPS = 10  # moves of the mid a second
SIGMA = 0.3e-4  # the unit of a process's returns, as a log return of the mid


class MidMoves(NamedTuple):
    """One block of a mid that moves by itself.

    Attributes:
        returns: ``(BLOCK_S * STEPS,)`` log returns of the mid.
        lean: ``(BLOCK_S,)`` how far taker sides lean, from -1 (sell) to +1 (buy).
    """

    returns: NDArray[np.float64]
    lean: NDArray[np.float64]


class Block(NamedTuple):
    """``BLOCK_S`` seconds of a market: its taker orders, in time order, and the mid they meet.

    Attributes:
        mid: ``(k,)`` log of the mid relative to the end of the block before; the last is the end.
        at: ``(n,)`` which of ``mid`` each order meets.
        time: ``(n,)`` seconds since the block's start.
        side: ``(n,)`` the taker's, +1 or -1.
        leaves: ``(n,)`` which of ``mid`` is in force behind each order.
        begins: ``(k,)`` since when each of ``mid`` is in force, seconds since the block's start.
        comes: ``(m,)`` the directions that the book may show before they come, +1 or -1: of the
            mid in each second, or the side of each order.
        by_order: whether they are those of orders.
    """

    mid: NDArray[np.float64]
    at: NDArray[np.int64]
    time: NDArray[np.float64]
    side: NDArray[np.int8]
    leaves: NDArray[np.int64]
    begins: NDArray[np.float64]
    comes: NDArray[np.int8]
    by_order: bool = False


# Blocks for ever, from a generator for the mid and one for the orders.
Blocks = Callable[[Generator, Generator], Iterator[Block]]


class SyntheticMarket(NamedTuple):
    """What ``sim:NAME`` names.

    Attributes:
        blocks: its orders and mids.
        shows: how often the larger side of its book at rest is the side to which the market goes
            next; 1/2 if it tells nothing.
    """

    blocks: Blocks
    shows: float


def with_orders(moves: Callable[[Generator], Iterator[MidMoves]]) -> Blocks:
    """Return the market of a mid that moves by itself, and of the orders that come to it."""
    begins = np.arange(BLOCK_S * STEPS) / STEPS

    def blocks(mid_rng: Generator, order_rng: Generator) -> Iterator[Block]:
        for_mid, for_lean = itertools.tee(moves(mid_rng))
        arrived = Arrivals().blocks(order_rng, (part.lean for part in for_lean))
        for part, (time, side) in zip(for_mid, arrived, strict=True):
            at = (time * 1000).astype(np.int64) * STEPS // 1000
            seconds = part.returns.reshape(BLOCK_S, STEPS).sum(axis=1)
            comes = np.where(seconds > 0, 1, -1).astype(np.int8)
            yield Block(np.cumsum(part.returns), at, time, side, at, begins, comes)

    return blocks


def moves_of(process: Process) -> Callable[[Generator], Iterator[MidMoves]]:
    """Return a process as moves: a Brownian bridge reaches each return within its second."""

    def moves(rng: Generator) -> Iterator[MidMoves]:
        returns_rng, bridge_rng = rng.spawn(2)
        for returns in process.blocks(returns_rng, BLOCK_S):
            noise = bridge_rng.normal(0, 1 / math.sqrt(STEPS), (BLOCK_S, STEPS))
            noise += (returns / STEPS - noise.mean(axis=1))[:, None]
            yield MidMoves(SIGMA * noise.ravel(), np.zeros(BLOCK_S))

    return moves

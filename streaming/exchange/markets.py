"""Synthetic markets: trades in time order, for ever, from a seed. Pure.

    mid (a named market's own) ─┬─> orders (Hawkes) ─> fills ─> price = mid ± half spread, in ticks
    lean of the takers' sides ──┘

A market is a generator of mid moves, registered in ``MARKETS``; all else is the same for each.
The trades depend on the seed and the symbol alone; ``start_ns`` only shifts their times, so that
a market is the same at any speed.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.arrivals import BLOCK_S, Orders, orders
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks

STEPS = 10  # moves of the mid a second
SIGMA = 0.3e-4  # of the mid's log return in a second
HALF_SPREAD = 0.02e-4  # of the mid
FILLS = 2.0  # trades an order, on average
SWEEP = 0.2  # how often a fill takes a level: the order's next one is a tick worse
LOG_SIZE_SD = 1.5
FIRST_ID = 1


class Moves(NamedTuple):
    """One block of a market's mid.

    Attributes:
        returns: ``(BLOCK_S * STEPS,)`` log returns of the mid.
        lean: ``(BLOCK_S,)`` how far taker sides lean, from -1 (sell) to +1 (buy).
    """

    returns: NDArray[np.float64]
    lean: NDArray[np.float64]


Market = Callable[[Generator], Iterator[Moves]]


def momentum(
    rng: Generator, *, drift: float = 0.5, flip: float = 0.05, lean: float = 0.05
) -> Iterator[Moves]:
    """Drift up or down by a hidden state, to which the takers' sides lean a little.

    With these values the direction of the next second is known to 61 % at best from the past
    moves of the mid, and 57 % from the last one alone; the lean adds little.

    Args:
        rng: source of all draws.
        drift: of a second, in standard deviations of its return.
        flip: how often the state turns, a second.
        lean: of the takers' sides in either state.
    """
    state = 1.0
    while True:
        turns = np.where(rng.random(BLOCK_S) < flip, -1.0, 1.0).astype(np.float64)
        states = np.cumprod(turns) * np.float64(state)
        state = float(states[-1])
        noise = rng.normal(0, SIGMA / math.sqrt(STEPS), BLOCK_S * STEPS)
        yield Moves(np.repeat(states, STEPS) * (drift * SIGMA / STEPS) + noise, states * lean)


MARKETS: dict[str, Market] = {"default": momentum}


def trades(market: Market, seed: int, symbol: str, start_ns: int) -> Iterator[Ticks]:
    """Yield a market's trades, one chunk for each second from ``start_ns`` on.

    Args:
        market: one of ``MARKETS``.
        seed: of the market; each symbol draws its own stream from it.
        symbol: decides the price level.
        start_ns: of the first second, Unix epoch, a whole second.

    Yields:
        ``(n,)`` of dtype ``TICK``, n >= 0; ids run on from ``FIRST_ID``, times are whole ms.
    """
    rng = np.random.default_rng([seed, _hash(symbol)])
    mid_rng, order_rng, fill_rng = rng.spawn(3)
    price, decimals = level(symbol)
    for_mid, for_lean = itertools.tee(market(mid_rng))
    last_id = FIRST_ID - 1
    arrivals = orders(order_rng, (moves.lean for moves in for_lean))
    for moves, arrived in zip(for_mid, arrivals, strict=True):
        mid = price * np.exp(np.cumsum(moves.returns))
        price = float(mid[-1])
        ticks, seconds = _fills(fill_rng, arrived, mid, decimals)
        ticks["id"] += last_id + 1
        ticks["ts_event"] += start_ns
        yield from np.split(ticks, np.searchsorted(seconds, np.arange(1, BLOCK_S)))
        start_ns += BLOCK_S * NS_PER_S
        last_id += len(ticks)


def level(symbol: str) -> tuple[float, int]:
    """Return a symbol's first price and its number of decimals (six digits in all)."""
    spread = _hash(symbol) / 2**64
    price = 60_000 * (0.99 + 0.02 * spread) if symbol.startswith("BTC") else 10 ** (3.7 * spread)
    return price, 6 - math.floor(math.log10(price))


def _hash(symbol: str) -> int:
    """Return 64 bits that, unlike ``hash``, are the same in every process."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")


def _fills(
    rng: Generator, arrived: Orders, mid: NDArray[np.float64], decimals: int
) -> tuple[Ticks, NDArray[np.int64]]:
    """Return the trades of a block's orders, and the second of the block of each."""
    time, side = arrived
    count = rng.geometric(1 / FILLS, len(time))
    ms = np.repeat((time * 1000).astype(np.int64), count)
    side, total = np.repeat(side, count), int(count.sum())
    ticks = make_ticks(total)
    ticks["id"] = np.arange(total)
    ticks["ts_event"] = ms * NS_PER_MS
    ticks["side"] = side
    quote = mid[ms * STEPS // 1000] * (1 + HALF_SPREAD * side)
    worse = side * _levels_taken(rng, count) * 10.0**-decimals
    ticks["price"] = np.round(quote + worse, decimals)
    size = rng.lognormal(math.log(200 / mid[0]), LOG_SIZE_SD, total)
    ticks["size"] = np.maximum(np.round(size, 5), 1e-5)
    return ticks, ms // 1000


def _levels_taken(rng: Generator, count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each fill how many levels its order has taken before it."""
    taken = rng.random(int(count.sum())) < SWEEP
    before = np.cumsum(taken, dtype=np.int64) - taken
    of_order: NDArray[np.int64] = before - np.repeat(before[np.cumsum(count) - count], count)
    return of_order

"""Fills of a market's orders: trades in time order, for ever, from a seed. Pure.

    blocks (mid, orders) ─> fills ─> price = mid ± half spread, in ticks

The trades depend on the seed and the symbol alone; ``start_ns`` only shifts their times, so that
a market is the same at any speed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.arrivals import BLOCK_S
from streaming.exchange.markets.market import Block, Market
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks

HALF_SPREAD = 0.02e-4  # as a share of the mid
FILLS = 2.0  # trades an order, on average
SWEEP = 0.2  # how often a fill takes a level: the order's next one is a tick worse
LOG_SIZE_SD = 1.5  # sizes are log-normal
SIZE = 200  # their median, quote currency
FIRST_ID = 1


def trades(market: Market, seed: int, symbol: str, start_ns: int) -> Iterator[Ticks]:
    """Yield a market's trades, one chunk for each second from ``start_ns`` on.

    Args:
        market: one of ``MARKETS``.
        seed: the market's; each symbol draws its own stream from it.
        symbol: decides the price level.
        start_ns: when the first second begins, Unix epoch; a whole second.

    Yields:
        ``(n,)`` of dtype ``TICK``, n >= 0; ids run on from ``FIRST_ID``, times are whole ms.
    """
    rng = np.random.default_rng([seed, _hash(symbol)])
    mid_rng, order_rng, fill_rng = rng.spawn(3)
    price, decimals = level(symbol)
    last_id = FIRST_ID - 1
    for block in market(mid_rng, order_rng):
        mid = price * np.exp(block.mid)
        price = float(mid[-1])
        ticks, seconds = _fills(fill_rng, block, mid, decimals)
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
    rng: Generator, block: Block, mid: NDArray[np.float64], decimals: int
) -> tuple[Ticks, NDArray[np.int64]]:
    """Return the trades of a block's orders, and the second of the block in which each falls."""
    count = rng.geometric(1 / FILLS, len(block.time))
    ms = np.repeat((block.time * 1000).astype(np.int64), count)
    side, total = np.repeat(block.side, count), int(count.sum())
    ticks = make_ticks(total)
    ticks["id"] = np.arange(total)
    ticks["ts_event"] = ms * NS_PER_MS
    ticks["side"] = side
    quote = np.repeat(mid[block.at], count) * (1 + HALF_SPREAD * side)
    worse = side * _levels_taken(rng, count) * 10.0**-decimals
    ticks["price"] = np.round(quote + worse, decimals)
    size = rng.lognormal(math.log(SIZE / mid[0]), LOG_SIZE_SD, total)
    ticks["size"] = np.maximum(np.round(size, 5), 1e-5)
    return ticks, ms // 1000


def _levels_taken(rng: Generator, count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each fill how many levels its order has taken before it."""
    taken = rng.random(int(count.sum())) < SWEEP
    before = np.cumsum(taken, dtype=np.int64) - taken
    of_order: NDArray[np.int64] = before - np.repeat(before[np.cumsum(count) - count], count)
    return of_order

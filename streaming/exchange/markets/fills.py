"""Fills of a market's orders: trades and quotes in time order, for ever, from a seed. Pure.

    blocks (mid, orders) ─> fills ─> price = mid ± half spread, in ticks
                              └────> book ─> quotes

They depend on the seed and the symbol alone, the trades not on whether quotes are wanted;
``start_ns`` only shifts their times, so that a market is the same at any speed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.arrivals import BLOCK_S
from streaming.exchange.markets.book import LOT, Fills, at_side, book
from streaming.exchange.markets.leans import with_leans
from streaming.exchange.markets.market import Block, SyntheticMarket
from streaming.quotes import Quotes, make_quotes
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks

FILLS = 2.0  # trades an order, on average
SWEEP = 0.2  # how often a fill takes a level: the order's next one is a tick worse
LOG_SIZE_SD = 1.5  # sizes are log-normal
SIZE = 200  # their median, quote currency
FIRST_ID = 1


class Second(NamedTuple):
    """One second of a market.

    Attributes:
        ticks: ``(n,)`` of dtype ``TICK``, n >= 0; ids run on from ``FIRST_ID``, times are whole ms.
        quotes: ``(m,)`` of dtype ``QUOTE`` likewise; ``after`` counts the second's ticks.
    """

    ticks: Ticks
    quotes: Quotes


def seconds(
    market: SyntheticMarket, seed: int, symbol: str, start_ns: int, *, quotes: bool = True
) -> Iterator[Second]:
    """Yield each second of a market from ``start_ns`` on.

    Args:
        market: one of ``MARKETS``.
        seed: the market's; each symbol draws its own stream from it.
        symbol: decides the price level.
        start_ns: when the first second begins, Unix epoch; a whole second.
        quotes: whether its quotes are wanted.
    """
    rng = np.random.default_rng([seed, _hash(symbol)])
    mid_rng, order_rng, fill_rng, lean_rng, book_rng = rng.spawn(5)
    price, decimals = level(symbol)
    last_id = last_update = FIRST_ID - 1
    blocks = market.blocks(mid_rng, order_rng)
    for block, leans in with_leans(lean_rng, blocks, market.shows):
        mid = price * np.exp(block.mid)
        price = float(mid[-1])
        fills = _fills(fill_rng, block, mid, decimals)
        told = book(book_rng, block, leans, fills, mid, decimals) if quotes else make_quotes(0)
        fills.ticks["id"] += last_id + 1
        told["id"] = np.arange(len(told)) + last_update + 1
        yield from _seconds(fills.ticks, told, start_ns)
        start_ns += BLOCK_S * NS_PER_S
        last_id, last_update = last_id + len(fills.ticks), last_update + len(told)


def trades(market: SyntheticMarket, seed: int, symbol: str, start_ns: int) -> Iterator[Ticks]:
    """Yield the trades of each second, ``(n,)``; arguments are those of ``seconds``."""
    return (second.ticks for second in seconds(market, seed, symbol, start_ns, quotes=False))


def _seconds(ticks: Ticks, quotes: Quotes, start_ns: int) -> Iterator[Second]:
    """Yield the seconds of a block, whose times are since its start."""
    ends = np.arange(1, BLOCK_S) * NS_PER_S
    starts = np.concatenate([[0], np.searchsorted(ticks["ts_event"], ends)])
    parts = [np.split(rows, np.searchsorted(rows["ts_event"], ends)) for rows in (ticks, quotes)]
    for first, mine, told in zip(starts.tolist(), *parts, strict=True):
        mine["ts_event"] += start_ns
        told["ts_event"] += start_ns
        told["after"] -= first
        yield Second(mine, told)


def level(symbol: str) -> tuple[float, int]:
    """Return a symbol's first price and its number of decimals (six digits in all)."""
    spread = _hash(symbol) / 2**64
    price = 60_000 * (0.99 + 0.02 * spread) if symbol.startswith("BTC") else 10 ** (3.7 * spread)
    return price, 6 - math.floor(math.log10(price))


def _hash(symbol: str) -> int:
    """Return 64 bits that, unlike ``hash``, are the same in every process."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")


def _fills(rng: Generator, block: Block, mid: NDArray[np.float64], decimals: int) -> Fills:
    """Return the trades of a block's orders; ids count from 0, times from the block's start."""
    count = rng.geometric(1 / FILLS, len(block.time))
    order, side = np.repeat(np.arange(len(count)), count), np.repeat(block.side, count)
    ticks = make_ticks(len(order))
    ticks["id"] = np.arange(len(order))
    ticks["ts_event"] = np.repeat((block.time * 1000).astype(np.int64), count) * NS_PER_MS
    ticks["side"] = side
    takes = rng.random(len(order)) < SWEEP
    level = _levels_taken(takes, count)
    worse = (side * level).astype(np.float64) * 10.0**-decimals
    ticks["price"] = at_side(mid[block.at[order]], side, decimals, worse)
    size = rng.lognormal(math.log(SIZE / mid[0]), LOG_SIZE_SD, len(order))
    ticks["size"] = np.maximum(np.round(size, LOT), 10.0**-LOT)
    return Fills(ticks, order, level, takes)


def _levels_taken(takes: NDArray[np.bool], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each fill how many levels its order has taken before it."""
    before = np.cumsum(takes, dtype=np.int64) - takes
    of_order: NDArray[np.int64] = before - np.repeat(before[np.cumsum(count) - count], count)
    return of_order

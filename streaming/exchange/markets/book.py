"""The book of a synthetic market: best bid and ask around its mid, with their sizes. Pure.

    block, leans, fills ─> quotes: at rest, as an order meets it, as each fill leaves it

At rest its larger side leans to where the market goes next, as often as ``Market.shows`` says
(``leans``); nothing else of it tells anything. The last quote of a second is one at rest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.arrivals import BLOCK_S
from streaming.exchange.markets.market import Block
from streaming.quotes import Quotes, make_quotes
from streaming.ticks import NS_PER_MS, Ticks

HALF_SPREAD = 0.02e-4  # as a share of the mid
LOT = 5  # decimals of sizes
CHANGES_PER_S = 45.0  # of sizes alone
DEPTH, DEPTH_SD = 2000, 0.8  # both sides at rest, quote currency; log-normal
LARGER = (0.55, 0.95)  # the share of the larger side
LEFT = 200  # of a level that an order did not take, quote currency; log-normal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Fills(NamedTuple):
    """The trades of a block, and what they do to the book.

    Attributes:
        ticks: ``(n,)`` in order, times since the block's start.
        order: ``(n,)`` the order of each.
        level: ``(n,)`` how many levels its order has taken before it.
        takes: ``(n,)`` whether it takes what is left of its level.
    """

    ticks: Ticks
    order: Ints
    level: Ints
    takes: NDArray[np.bool]


class Moments(NamedTuple):
    """When the book is told, in order.

    Attributes:
        ms: ``(m,)`` since the block's start.
        after: ``(m,)`` how many of the block's trades come before.
        mid: ``(m,)`` which of the block's mids is in force.
        left: ``(m,)`` the fill that has just come; -1 if none.
        met: ``(m,)`` the fill that comes now; -1 if none.
    """

    ms: Ints
    after: Ints
    mid: Ints
    left: Ints
    met: Ints


def at_side(mid: Floats, side: NDArray[np.int8] | int, decimals: int, worse: Floats) -> Floats:
    """Return the price at which takers of a side trade, ``worse`` beyond the best one."""
    price: Floats = np.round(mid * (1 + HALF_SPREAD * side) + worse, decimals)
    return price


def book(
    rng: Generator, block: Block, leans: NDArray[np.int8], fills: Fills, mid: Floats, decimals: int
) -> Quotes:
    """Return the quotes of a block, in order; ``after`` counts the block's trades.

    Args:
        rng: source of all draws.
        block: the orders.
        leans: ``(p,)`` the larger side in each period of the block, +1 bid or -1 ask.
        fills: the trades.
        mid: ``(k,)`` the block's mids, quote currency.
        decimals: how many decimals a price has.
    """
    moments = _moments(rng, block, fills)
    period = _orders_before(fills, moments.after) if block.by_order else moments.ms // 1000
    quotes = _at_rest(rng, mid[moments.mid], leans[period], decimals)
    quotes["ts_event"], quotes["after"] = moments.ms * NS_PER_MS, moments.after
    met, left = _levels(rng, fills, mid[0], decimals)
    for which, (price, size) in ((moments.met, met), (moments.left, left)):
        for side, name in ((1, "ask"), (-1, "bid")):
            rows = (which >= 0) & (fills.ticks["side"][which] == side)
            quotes[name][rows] = price[which[rows]]
            quotes[f"{name}_size"][rows] = size[which[rows]]
    return quotes


def _moments(rng: Generator, block: Block, fills: Fills) -> Moments:
    """Return each order's and each fill's moments, and those at which nobody trades."""
    n, trade_ms = len(fills.ticks), fills.ticks["ts_event"] // NS_PER_MS
    orders, order_ms = np.arange(len(block.time)), (block.time * 1000).astype(np.int64)
    first, stop = (np.searchsorted(fills.order, orders, side=side) for side in ("left", "right"))
    begins = (block.begins * 1000).astype(np.int64)
    changes = rng.integers(0, BLOCK_S * 1000, rng.poisson(CHANGES_PER_S * BLOCK_S))
    quiet = np.sort(np.concatenate([begins, changes]))
    none = np.full(max(n, len(orders), len(quiet)), -1)
    parts = [
        Moments(trade_ms, np.arange(1, n + 1), block.at[fills.order], np.arange(n), none[:n]),
        Moments(order_ms, stop, block.leaves, none[: len(orders)], none[: len(orders)]),
        Moments(
            quiet,
            np.searchsorted(trade_ms, quiet, side="right"),
            np.searchsorted(begins, quiet, side="right") - 1,
            none[: len(quiet)],
            none[: len(quiet)],
        ),
        Moments(order_ms, first, block.at, none[: len(orders)], first),
    ]
    rank = np.repeat(np.arange(len(parts)), [len(part.ms) for part in parts])
    every = Moments(*map(np.concatenate, zip(*parts, strict=True)))
    in_order = np.lexsort((rank, every.ms, every.after))
    return Moments(*(values[in_order] for values in every))


def _orders_before(fills: Fills, after: Ints) -> Ints:
    """Return how many orders have come before ``(m,)`` moments."""
    orders: Ints = np.concatenate([[0], fills.order + 1])[after]
    return orders


def _at_rest(rng: Generator, mid: Floats, leans: NDArray[np.int8], decimals: int) -> Quotes:
    quotes = make_quotes(len(mid))
    quotes["bid"], quotes["ask"] = (at_side(mid, side, decimals, 0.0 * mid) for side in (-1, 1))
    depth = rng.lognormal(np.log(DEPTH / mid), DEPTH_SD)
    larger = rng.uniform(*LARGER, len(mid))
    quotes["bid_size"] = _lots(depth * np.where(leans > 0, larger, 1 - larger))
    quotes["ask_size"] = _lots(depth * np.where(leans > 0, 1 - larger, larger))
    return quotes


def _levels(
    rng: Generator, fills: Fills, mid: float, decimals: int
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return price and size of the taker's level before each of ``(n,)`` fills, and after it."""
    price, size, n = fills.ticks["price"], fills.ticks["size"], len(fills.ticks)
    opens = np.ones(n, bool)
    opens[1:] = (np.diff(fills.order) != 0) | (np.diff(fills.level) != 0)
    start, which = np.flatnonzero(opens), np.cumsum(opens) - 1
    kept = _lots(rng.lognormal(math.log(LEFT / mid), DEPTH_SD, n))
    last = np.append(start[1:], n) - 1
    total = np.add.reduceat(size, start) + np.where(fills.takes[last], 0.0, kept[last])
    gone = np.cumsum(size) - size
    before = _lots(total[which] - (gone - gone[start][which]))
    goes_on = np.append(np.diff(fills.order) == 0, False)
    next_price = np.round(price + fills.ticks["side"] * 10.0**-decimals, decimals)
    next_size = np.where(goes_on, np.roll(before, -1), kept)
    after = np.where(fills.takes, next_size, _lots(before - size))
    return (price, before), (np.where(fills.takes, next_price, price), after)


def _lots(size: Floats) -> Floats:
    """Return sizes in whole lots, one at least."""
    lots: Floats = np.maximum(np.round(size, LOT), 10.0**-LOT)
    return lots

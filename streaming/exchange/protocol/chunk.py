"""A part of one symbol's market: trades, quotes and time marks in the order in which they are sent.

Rows of both kinds have one numbering, their place in that order.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming import quotes as quote_rules
from streaming import ticks as tick_rules
from streaming.exchange.protocol.quotes import NO_BOOKS, SPARE, Books, is_mark
from streaming.exchange.protocol.trades import TRADE, Trades
from streaming.records import copied
from streaming.ticks import MAX_AHEAD_NS


class Chunk:
    """Trades with the quotes and marks between them.

    Args:
        trades: ``(n,)`` of dtype ``TRADE``.
        books: ``(m,)`` of dtype ``BOOK``; ``after`` does not fall.
    """

    def __init__(self, trades: Trades, books: Books = NO_BOOKS) -> None:
        self.trades, self.books = trades, books

    def __len__(self) -> int:
        return len(self.trades) + len(self.books)

    @functools.cached_property
    def trade_at(self) -> NDArray[np.int64]:
        """The place of each trade, ``(n,)``."""
        index = np.arange(len(self.trades))
        return index + np.searchsorted(self.books["after"], index, side="right")

    @property
    def book_at(self) -> NDArray[np.int64]:
        """The place of each quote and mark, ``(m,)``."""
        places: NDArray[np.int64] = self.books["after"] + np.arange(len(self.books))
        return places

    def merged(self, of_trades: NDArray[Any], of_books: NDArray[Any]) -> NDArray[Any]:
        """Return what belongs to trades, ``(n,)``, and to quotes, ``(m,)``, in order."""
        both = np.empty(len(self), of_trades.dtype)
        both[self.trade_at], both[self.book_at] = of_trades, of_books
        return both

    @functools.cached_property
    def due(self) -> NDArray[np.int64]:
        """When each row is due, ns; it does not fall."""
        return self.merged(self.trades["due"], self.books["due"])

    def times(self, latest_ns: int) -> NDArray[np.int64]:
        """Return the event times, ns; 0 of a row that a feed drops, as no bar sees it.

        Args:
            latest_ns: the latest event time that is possible, ns.
        """
        trades, books = self.trades["ts_event"].copy(), self.books["ts_event"].copy()
        for _, wrong in tick_rules.faults(self.trades, latest_ns):
            trades[wrong] = 0
        for _, wrong in quote_rules.faults(self.books, latest_ns):
            books[wrong & ~is_mark(self.books)] = 0
        times = self.merged(trades, books)
        known = np.flatnonzero(times)
        times[known[_far_ahead(times[known])]] = 0
        return times

    def moves(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the event times of trades and marks, ns, and 0 of quotes, which may be early.

        Args:
            times: those of all rows.
        """
        moving = times.copy()
        moving[self.book_at[~is_mark(self.books)]] = 0
        return moving

    def part(self, start: int, stop: int) -> Chunk:
        """Return the rows from ``start`` to ``stop``, without marks that say nothing new."""
        first, last = np.searchsorted(self.trade_at, [start, stop])
        books = copied(self.books[start - first : stop - last])
        places = self.book_at[start - first : stop - last]
        books["after"] -= first
        spare = (books["flags"] & SPARE > 0) & (places + 1 < stop)
        return Chunk(self.trades[first:last], books[~spare])

    def with_trades(self, trades: Trades) -> Chunk:
        """Return the chunk with the last ``len(trades)`` of its trades, which may have changed."""
        books = copied(self.books)
        books["after"] = np.maximum(books["after"] - (len(self.trades) - len(trades)), 0)
        return Chunk(trades, books)


def _far_ahead(times: NDArray[np.int64]) -> NDArray[np.bool]:
    """Return which times are over a minute ahead of the one before and of the one behind."""
    ahead = np.zeros(len(times), np.bool)
    steps = np.diff(times)
    ahead[1:-1] = (steps[:-1] > MAX_AHEAD_NS) & (steps[1:] < -MAX_AHEAD_NS)
    return ahead


NOTHING = Chunk(np.zeros(0, TRADE))

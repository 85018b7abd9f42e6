"""Quotes and time marks as the exchange holds them: with the time at which they are due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.quotes import MARK, Quotes

BOOK = np.dtype(
    [
        ("id", "<i8"),  # the book's update id
        ("ts_event", "<i8"),  # ns, Unix epoch; of a mark: all trades before it have been sent
        ("due", "<i8"),  # market time at which it is sent, ns
        ("bid", "<f8"),
        ("ask", "<f8"),
        ("bid_size", "<f8"),
        ("ask_size", "<f8"),
        ("after", "<i8"),  # how many of its chunk's trades come before it
        ("flags", "u1"),
    ],
    align=True,
)

Books = NDArray[np.void]

# A mark that says nothing new where the row behind it is sent with it: that one shows the same.
SPARE = 128
NO_BOOKS = np.zeros(0, BOOK)


def with_due(quotes: Quotes, due: NDArray[np.int64]) -> Books:
    """Return quotes, ``(m,)`` of dtype ``QUOTE``, as rows due at ``due``, ``(m,)``."""
    books = np.zeros(len(quotes), BOOK)
    for name in ("id", "ts_event", "bid", "ask", "bid_size", "ask_size", "after"):
        books[name] = quotes[name]
    books["due"] = due
    return books


def marks(times: NDArray[np.int64], due: NDArray[np.int64], after: NDArray[np.int64]) -> Books:
    """Return marks of ``times``, ``(k,)`` in ns, each behind ``after`` trades of its chunk."""
    books = np.zeros(len(times), BOOK)
    books["ts_event"], books["due"], books["after"], books["flags"] = times, due, after, MARK
    return books


def is_mark(books: Books) -> NDArray[np.bool]:
    """Return which rows are marks, ``(m,)``."""
    found: NDArray[np.bool] = (books["flags"] & MARK) > 0
    return found

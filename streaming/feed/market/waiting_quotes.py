"""Quotes that keep their place among trades, while trades are held back for a repair. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.quotes import Quotes, make_quotes
from streaming.records import copied, join

NO_TRADE = -1


class WaitingQuotes:
    """One market's quotes, from their receipt until the trades before them are kept.

    A quote's place is known by the newest trade id received before it, so it stays right whatever
    trades are fetched later.
    """

    def __init__(self) -> None:
        self._rows = make_quotes(0)
        self._after = np.zeros(0, np.int64)  # the newest trade id before each; never falling

    def add(self, rows: Quotes, after: NDArray[np.int64]) -> None:
        """Take quotes.

        Args:
            rows: ``(n,)`` in the order received.
            after: ``(n,)`` the newest trade id received before each; ``NO_TRADE`` if there is none.
        """
        self._rows = join(self._rows, rows)
        self._after = np.maximum.accumulate(np.concatenate([self._after, after]))

    def keep_newest(self) -> None:
        """Forget all but the newest: before the first trade of all, no bar needs the others."""
        self._rows, self._after = self._rows[-1:], self._after[-1:]

    def begin(self, first_id: int) -> None:
        """Place those that came before the first streamed trade right before it."""
        self._after = np.maximum(self._after, first_id - 1)

    def take(self, ids: NDArray[np.int64], seq: int, held_after: int | None) -> Quotes:
        """Return the quotes that can be kept now, with ``after`` filled in.

        Args:
            ids: ``(n,)`` the ids of the trades that are kept now, rising.
            seq: the number of the first of them in the market's ring.
            held_after: the id after which trades are held back; None if none are.
        """
        ready = len(self._rows)
        if held_after is not None:
            ready = int(np.searchsorted(self._after, held_after, side="right"))
        rows, self._rows = copied(self._rows[:ready]), self._rows[ready:]
        after, self._after = self._after[:ready], self._after[ready:]
        rows["after"] = seq + np.searchsorted(ids, after, side="right")
        return rows

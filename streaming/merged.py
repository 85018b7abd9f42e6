"""The rows of both streams of a market, ticks and quotes, in the order in which they were kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from streaming.quotes import MARK, Quotes
from streaming.ticks import Ticks


class Merged(NamedTuple):
    """Ticks and quotes, and their common order.

    Attributes:
        ticks: ``(n,)`` of dtype ``TICK``.
        quotes: ``(m,)`` of dtype ``QUOTE``.
        is_quote: ``(n + m,)``, which rows of the common order are quotes.
        overtakes: ``(n + m,)``, which are quotes and not marks: quotes may overtake trades.
        times: ``(n + m,)`` the rows' event times, ns.
    """

    ticks: Ticks
    quotes: Quotes
    is_quote: NDArray[np.bool]
    overtakes: NDArray[np.bool]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, ticks: Ticks, quotes: Quotes, seq: int) -> Self:
        """Merge ticks with quotes, which know how many ticks came before them.

        Args:
            ticks: ``(n,)``; the first is number ``seq`` of its market.
            quotes: ``(m,)`` in order.
            seq: the number of the first tick.
        """
        n, m = len(ticks), len(quotes)
        is_quote = np.zeros(n + m, bool)
        if m == 0:
            return cls(ticks, quotes, is_quote, is_quote, ticks["ts_event"])
        before = np.maximum.accumulate(np.clip(quotes["after"] - seq, 0, n))
        is_quote[before + np.arange(m)] = True
        times = np.empty(n + m, np.int64)
        times[is_quote], times[~is_quote] = quotes["ts_event"], ticks["ts_event"]
        overtakes = is_quote.copy()
        overtakes[is_quote] = quotes["flags"] & MARK == 0
        return cls(ticks, quotes, is_quote, overtakes, times)

    def split(self, at: Sequence[int] | NDArray[np.int64]) -> list[Merged]:
        """Return the parts before, between and after the rows ``at``; views, not copies."""
        if len(at) == 0:
            return [self]
        quotes = np.concatenate([[0], np.cumsum(self.is_quote)])
        edges = np.asarray(at, np.int64)
        return [
            Merged(*part)
            for part in zip(
                np.split(self.ticks, edges - quotes[edges]),
                np.split(self.quotes, quotes[edges]),
                np.split(self.is_quote, edges),
                np.split(self.overtakes, edges),
                np.split(self.times, edges),
                strict=True,
            )
        ]

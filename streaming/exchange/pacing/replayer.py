"""One symbol's trades: they leave their source when they are due and become history. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streaming.exchange.protocol.trades import TRADE, History, Trades

NONE = np.zeros(0, TRADE)


class Removal:
    """Take the next ``count`` trades out of a stream of batches, for faults on request.

    An aggregate that misses a trade goes as a whole: its last trade no longer closes it.
    """

    def __init__(self) -> None:
        self.count = 0
        self._broken = -1

    def apply(self, trades: Trades) -> Trades:
        """Return what is left of a batch."""
        n = min(self.count, len(trades))
        self.count -= n
        if n:
            self._broken = int(trades["agg_id"][n - 1])
        left = trades[n:]
        if len(left) and left["agg_id"][0] == self._broken:
            left = left.copy()
            left["closes"] &= left["agg_id"] != self._broken
        return left


class Replayer:
    """Hand out a symbol's trades as market time passes.

    Args:
        symbol: in upper case.
        chunks: yields the trades, each chunk ordered by ``due``.
    """

    def __init__(self, symbol: str, chunks: Iterator[Trades]) -> None:
        self.symbol = symbol
        self.history = History()
        self.ended = False
        self.lost = Removal()  # trades that never happen
        self.skipped = Removal()  # trades that happen and are not streamed
        self._chunks = chunks
        self._waiting = NONE

    def advance(self, market_ns: int, limit: int = 1 << 62) -> Trades:
        """Add trades that are due at ``market_ns`` to the history; return those to be streamed.

        One call handles at most ``limit`` trades of one chunk: call it until ``due`` is false.
        """
        n = min(limit, int(np.searchsorted(self._waiting["due"], market_ns, side="right")))
        happened = self.lost.apply(self._waiting[:n])
        self._waiting = self._waiting[n:]
        self.history.append(happened)
        return self.skipped.apply(happened)

    def due(self, market_ns: int) -> bool:
        """Return whether a trade is due that has not been handed out."""
        if len(self._waiting) == 0 and not self.ended:
            self._waiting = next(self._chunks, NONE)
            self.ended = len(self._waiting) == 0
        return not self.ended and bool(self._waiting["due"][0] <= market_ns)

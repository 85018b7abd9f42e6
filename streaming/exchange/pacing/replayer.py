"""One symbol's play: trades leave their source when they are due and become history. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streaming.exchange.trades import TRADE, History, Removal, Trades

NONE = np.zeros(0, TRADE)


class Player:
    """Hand out a symbol's trades as market time passes.

    Args:
        symbol: upper case.
        chunks: the trades, each chunk ordered by ``due``.
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
        """Let what is due at ``market_ns`` happen and return what is to be streamed of it.

        At most one chunk and ``limit`` trades: call again until ``due`` is false.
        """
        n = min(limit, int(np.searchsorted(self._waiting["due"], market_ns, side="right")))
        happened = self.lost.apply(self._waiting[:n])
        self._waiting = self._waiting[n:]
        self.history.append(happened)
        return self.skipped.apply(happened)

    def due(self, market_ns: int) -> bool:
        """Whether a trade is due that has not been handed out."""
        if len(self._waiting) == 0 and not self.ended:
            self._waiting = next(self._chunks, NONE)
            self.ended = len(self._waiting) == 0
        return not self.ended and bool(self._waiting["due"][0] <= market_ns)

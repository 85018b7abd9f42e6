"""The built-in exchange, which speaks Binance's format and says how far its time has come."""

from __future__ import annotations

import math
import sys
from typing import Any

from streaming.quotes import Quotes
from streaming.symbols import upper
from streaming.venues import Link, RestLimit
from streaming.venues.binance import Binance


class BuiltIn(Binance):
    """A simulated market or a tape; symbols are spelled as the tape does."""

    name = "sim"
    terms = Binance.terms._replace(
        limit=RestLimit(sys.maxsize, 60.0), lifetime_s=math.inf, taker_fee_bps=1.0
    )

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.markets |= {upper(symbol): market for market, symbol in self.symbols.items()}

    @staticmethod
    def spelled(symbol: str) -> str:
        """Return a symbol as it is."""
        return symbol

    def links(self) -> list[Link]:
        """Return the one connection."""
        channels = [self.channel, "time", *["bookTicker"] * self.quotes]
        return [Link("trades and quotes", (self._route("/stream", channels),))]

    def _fresh(self, market: str, quotes: Quotes) -> Quotes:
        return quotes  # there is one connection only, and an exchange may begin anew

"""The built-in venue: serves a synthetic or recorded market in Binance's wire format.

    sources (market or tape) -> MarketSimulator -> history -> REST
                                      └─> Clients -> frames -> websockets

Its rooms, lowest first: ``protocol`` and ``markets``, then ``pacing``, then the modules here.
"""

from streaming.exchange.server import Exchange
from streaming.exchange.sources import check_source

__all__ = ["Exchange", "check_source"]

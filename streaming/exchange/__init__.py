"""The built-in venue: plays a synthetic or recorded market in Binance's wire format.

source (market or tape) -> Play -> history -> REST
                             └───> frames -> websockets
"""

from streaming.exchange.server import Exchange
from streaming.exchange.sources import check_source

__all__ = ["Exchange", "check_source"]

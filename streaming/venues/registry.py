"""The venue that a session's settings name."""

from __future__ import annotations

from streaming.config import StreamConfig
from streaming.venues import Venue
from streaming.venues.binance import Binance


def venue_of(config: StreamConfig) -> Venue:
    """Return the venue of a session; the built-in exchange speaks Binance's format, unlimited."""
    beside = ["time", *["bookTicker"] * config.quotes] if config.plays_locally else []
    return Binance(
        config.symbol_list,
        channel=config.channel,
        ws=config.venue_ws,
        rest=config.venue_rest,
        limited=not config.plays_locally,
        beside=beside,
    )

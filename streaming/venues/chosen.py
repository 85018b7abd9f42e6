"""The venues that a session's settings name."""

from __future__ import annotations

from streaming.config import StreamConfig
from streaming.venues import Venue
from streaming.venues.binance import Binance
from streaming.venues.builtin import BuiltIn
from streaming.venues.registry import VENUES


def venues_of(config: StreamConfig) -> list[Venue]:
    """Return the venues of a session, each with its markets; the built-in exchange is one too."""
    names = dict.fromkeys(market.venue for market in config.markets)
    return [_venue(config, name) for name in names]


def _venue(config: StreamConfig, name: str) -> Venue:
    markets = {market.name: market.symbol for market in config.markets if market.venue == name}
    ws, rest = config.ws_addresses.get(name, ""), config.rest_addresses.get(name, "")
    if config.plays_locally:
        return BuiltIn(markets, channel=config.channel, ws=ws, rest=rest, quotes=config.quotes)
    if name == Binance.name:
        return Binance(markets, channel=config.channel, ws=ws, rest=rest, quotes=config.quotes)
    return VENUES[name](markets, ws=ws, rest=rest, quotes=config.quotes)

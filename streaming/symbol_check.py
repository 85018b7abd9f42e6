"""Asks a live venue whether it has the symbols of a session, before anything starts."""

from __future__ import annotations

import asyncio

from streaming.config import StreamConfig
from streaming.errors import ConfigError, RepairError, UnknownSymbolError
from streaming.proxies import proxy_fault
from streaming.rest_client import RestClient
from streaming.venues import Venue
from streaming.venues.registry import venue_of

TIMEOUT_S = 3.0  # for all symbols; who has not answered by then is not waited for


def check_venue(config: StreamConfig) -> None:
    """Check that a live venue can be reached as the environment is, and knows the symbols.

    A venue that does not answer is no error: the feed says so, and tries again.

    Raises:
        ConfigError: if a proxy cannot be used, or the venue does not know a symbol.
    """
    venue = venue_of(config)
    if fault := proxy_fault(venue.stream_url()):
        raise ConfigError(fault)
    if unknown := asyncio.run(_unknown(venue, config.symbol_list)):
        raise ConfigError(
            f"symbols: {', '.join(unknown)} is unknown to {venue.name};"
            " allowed: what it trades, spelled as it does, such as BTCUSDT"
        )


async def _unknown(venue: Venue, symbols: list[str]) -> list[str]:
    """Return the symbols that the venue says it does not have."""
    rest, unknown = RestClient(venue), []

    async def ask() -> None:
        for symbol in symbols:
            try:
                await rest.get(venue.symbol_request(symbol), patience=0)
            except UnknownSymbolError:
                unknown.append(symbol)
            except RepairError:
                return

    await asyncio.wait([asyncio.create_task(ask())], timeout=TIMEOUT_S)
    return unknown

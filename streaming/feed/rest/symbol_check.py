"""Asks a live venue whether it has the symbols of a session, before anything starts."""

from __future__ import annotations

import asyncio

from streaming.config import StreamConfig
from streaming.errors import ConfigError, RepairError, UnknownSymbolError
from streaming.feed.rest.proxies import proxy_fault
from streaming.feed.rest.rest_client import RestClient
from streaming.venues import Venue
from streaming.venues.chosen import venues_of

TIMEOUT_S = 3.0  # for all symbols; who has not answered by then is not waited for


def check_venue(config: StreamConfig) -> None:
    """Check that live venues can be reached as the environment is, and know the symbols.

    A venue that does not answer is no error: the feed says so, and tries again.

    Raises:
        ConfigError: if a proxy cannot be used, or the venue does not know a symbol.
    """
    for venue in venues_of(config):
        if fault := proxy_fault(venue.links()[0].routes[0].url):
            raise ConfigError(fault)
        if unknown := asyncio.run(_unknown(venue)):
            raise ConfigError(
                f"symbols: {', '.join(unknown)} is unknown to {venue.name}; allowed: what it"
                f" trades, spelled as it does, such as {venue.example}"
            )


async def _unknown(venue: Venue) -> list[str]:
    """Return the symbols that the venue says it does not have."""
    rest, unknown = RestClient(venue), []

    async def ask() -> None:
        for market, symbol in venue.symbols.items():
            try:
                await rest.get(venue.symbol_request(market), TIMEOUT_S)
            except UnknownSymbolError:
                unknown.append(symbol)
            except RepairError:
                return

    await asyncio.wait([asyncio.create_task(ask())], timeout=TIMEOUT_S)
    return unknown

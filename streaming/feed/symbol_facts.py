"""What decoding a venue's frames needs to know of its symbols: the sizes of contracts."""

from __future__ import annotations

import asyncio
import random

from streaming.errors import RepairError
from streaming.events import Code
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.rest.rest_client import RestClient
from streaming.program.backoff import full_jitter
from streaming.venues import Venue

PATIENCE_S = 10.0


class SymbolFacts:
    """Asks a venue for what it does not say in its stream.

    Args:
        venue: knows what is missing.
        rest: makes the requests.
        files: reports events.
    """

    def __init__(self, venue: Venue, rest: RestClient, files: StreamFiles) -> None:
        self._venue, self._rest, self._files = venue, rest, files

    async def fetch(self) -> None:
        """Ask until everything is known: before that, sizes would be wrong."""
        pauses = full_jitter(random.Random())
        while self._venue.unsized:
            for market in sorted(self._venue.unsized):
                try:
                    await self._ask(market)
                except RepairError as e:
                    text = f"{market}: the size of its contract is not known yet: {e}"
                    self._files.say_once(Code.REST_AWAY, text, market)
            if self._venue.unsized:
                await asyncio.sleep(next(pauses))

    async def _ask(self, market: str) -> None:
        request = self._venue.symbol_request(market)
        reply = await self._rest.get(request, PATIENCE_S)
        try:
            self._venue.take_symbol(market, reply.body)
        except ValueError as e:
            raise RepairError(f"{request.url}: not a contract: {reply.body[:60]!r}") from e

"""Mends one symbol's stream by REST, beside the stream: history before it, holes in it.

    Ingest holds trades back ─> Mender asks the venue ─> Ingest goes on

What the venue does not have either becomes a gap: marked, counted and told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streaming.config import StreamConfig
from streaming.errors import RepairError
from streaming.ingest import Ingest
from streaming.repair import fetch_before, fetch_range
from streaming.ticks import NS_PER_S, Ticks, make_ticks
from streaming.venues import Venue

# A trade may reach a venue's REST interface a little later than its stream.
TRIES = 2
TRY_AGAIN_S = 0.3


class Mender:
    """Runs at most one task at a time for its symbol.

    Args:
        venue: whose REST interface to ask.
        ingest: of the symbol.
        config: how much history to fetch.
        say: takes what is worth telling.
    """

    def __init__(
        self, venue: Venue, ingest: Ingest, config: StreamConfig, say: Callable[[str], None]
    ) -> None:
        self._venue, self._ingest, self._config = venue, ingest, config
        self._say = say
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Start mending if trades are held back and nothing is being done about it."""
        if len(self._ingest.sequencer.held) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._mend())

    async def settle(self) -> None:
        """Wait until nothing is being mended."""
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Stop; what is held stays held."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _mend(self) -> None:
        if self._ingest.sequencer.missing is None:
            await self._begin()
        while (missing := self._ingest.sequencer.missing) is not None:
            await self._fill(*missing)

    async def _begin(self) -> None:
        """Fetch the history from before the first trade, then let the stream go."""
        ingest = self._ingest
        first = ingest.sequencer.held[0]
        since = int(first["ts_event"]) - self._config.backfill_seconds * NS_PER_S
        history = make_ticks(0)
        try:
            history = await fetch_before(
                self._venue, ingest.symbol, int(first["id"]), since, self._config.tick_cache
            )
        except RepairError as e:
            self._say(f"{ingest.symbol}: no history from the venue ({e})")
        ingest.begin(history)
        if len(history):
            self._say(f"{ingest.symbol}: {len(history)} trades of history fetched")

    async def _fill(self, first: int, last: int) -> None:
        """Fill a hole as far as the venue can; give up what it cannot."""
        symbol = self._ingest.symbol
        for attempt in range(TRIES):
            found, reason = await self._fetch(first, last)
            self._ingest.fill(found)
            if len(found):
                self._say(f"{symbol}: {len(found)} missed trades fetched")
            if self._ingest.sequencer.missing != (first, last):
                return
            if attempt < TRIES - 1:
                await asyncio.sleep(TRY_AGAIN_S)
        self._ingest.give_up()
        self._say(f"{symbol}: gap, trades {first} to {last} are missing ({reason})")

    async def _fetch(self, first: int, last: int) -> tuple[Ticks, str]:
        """Return what the venue has, and why that may be less than all."""
        try:
            found = await fetch_range(self._venue, self._ingest.symbol, first, last)
        except RepairError as e:
            return make_ticks(0), str(e)
        return found, "the venue does not have them"

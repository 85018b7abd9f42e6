"""Repair of one symbol's stream by REST: backfill of its history, then of each gap.

    Ingest holds trades back ─> GapRepair asks the venue ─> Ingest goes on

Trades that the venue does not have either stay missing: the gap is marked, counted and reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streaming.config import StreamConfig
from streaming.errors import RepairError
from streaming.events import Code
from streaming.ingest import Ingest
from streaming.rest_client import fetch_before, fetch_range
from streaming.ticks import NS_PER_S, Ticks, make_ticks
from streaming.venues import Venue

# A trade may reach a venue's REST interface a little later than its stream.
TRIES = 2
TRY_AGAIN_S = 0.3


class GapRepair:
    """Run at most one repair at a time for its symbol.

    Args:
        venue: its REST interface is asked.
        ingest: the symbol's.
        config: says how much history to fetch.
        say: reports an event.
    """

    def __init__(
        self, venue: Venue, ingest: Ingest, config: StreamConfig, say: Callable[[Code, str], None]
    ) -> None:
        self._venue, self._ingest, self._config = venue, ingest, config
        self._say = say
        self._task: asyncio.Task[None] | None = None

    def start_if_needed(self) -> None:
        """Start a repair if trades are held back and none is running."""
        if len(self._ingest.held) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._repair())

    async def finish(self) -> None:
        """Wait for the repair that is running, if one is."""
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Stop the repair; the trades held back stay held."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _repair(self) -> None:
        if self._ingest.missing is None:
            await self._backfill()
        while (missing := self._ingest.missing) is not None:
            await self._fill(*missing)

    async def _backfill(self) -> None:
        """Fetch the history from before the first trade, then release the stream."""
        ingest = self._ingest
        first = ingest.held[0]
        since = int(first["ts_event"]) - self._config.backfill_seconds * NS_PER_S
        history = make_ticks(0)
        try:
            history = await fetch_before(
                self._venue, ingest.symbol, int(first["id"]), since, self._config.tick_cache
            )
        except RepairError as e:
            self._say(Code.NO_HISTORY, f"{ingest.symbol}: no history from the venue ({e})")
        ingest.begin(history)
        if len(history):
            text = f"{ingest.symbol}: {len(history)} trades of history fetched"
            self._say(Code.HISTORY, text)

    async def _fill(self, first: int, last: int) -> None:
        """Fill a hole as far as the venue can, and give up the rest of it."""
        symbol = self._ingest.symbol
        for attempt in range(TRIES):
            fetched, reason = await self._fetch(first, last)
            self._ingest.fill(fetched)
            if len(fetched):
                self._say(Code.REPAIRED, f"{symbol}: {len(fetched)} missed trades fetched")
            if self._ingest.missing != (first, last):
                return
            if attempt < TRIES - 1:
                await asyncio.sleep(TRY_AGAIN_S)
        self._ingest.give_up()
        self._say(Code.GAP, f"{symbol}: gap, trades {first} to {last} are missing ({reason})")

    async def _fetch(self, first: int, last: int) -> tuple[Ticks, str]:
        """Return what the venue has, and why that may be less than all."""
        try:
            fetched = await fetch_range(self._venue, self._ingest.symbol, first, last)
        except RepairError as e:
            return make_ticks(0), str(e)
        return fetched, "the venue does not have them"

"""Repair of one market's stream by REST: backfill of its history, then of each gap.

    Ingest holds trades back ─> GapRepair asks the venue ─> Ingest goes on

Trades that the venue does not have either stay missing: the gap is marked, counted and reported.
A loss behind the newest trade shows where a venue names the newest id by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from streaming.config import StreamConfig
from streaming.events import Code
from streaming.feed.market.ingest import Ingest
from streaming.feed.market.row_store import Say
from streaming.feed.rest.history import TradeHistory
from streaming.ticks import NS_PER_S, VOID

# A trade may reach a venue's REST interface a little later than its stream.
TRIES = 2
TRY_AGAIN_S = 0.3

# Another connection may be about to bring what is missing.
ON_THE_WAY_S = 0.1

HOUR_NS = 3600 * NS_PER_S


class GapRepair:
    """Run at most one repair at a time for its symbol.

    Args:
        history: what the venue still has.
        ingest: the symbol's.
        config: says how much history to fetch.
        say: reports an event.
        failed: is told of an error that the stream must not survive.
    """

    def __init__(
        self,
        history: TradeHistory,
        ingest: Ingest,
        config: StreamConfig,
        say: Say,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._history, self._ingest, self._config = history, ingest, config
        self._say, self._failed = say, failed
        self._task: asyncio.Task[None] | None = None
        self._named = 0  # the newest id that the venue has named and that had not come

    def start_if_needed(self) -> None:
        """Start a repair if trades are held back and none is running."""
        if len(self._ingest.held):
            self._start(self._repair())

    def look_behind(self, newest: int) -> None:
        """Fetch what was lost behind the newest trade, if the venue names one twice.

        It may just be on its way when it is named for the first time.

        Args:
            newest: the id of the venue's newest trade, by its own word.
        """
        known = self._ingest.newest_id
        if known is None or newest <= known or len(self._ingest.held):
            return
        if self._named > known:
            self._start(self._fetch_tail(known + 1, self._named))
        self._named = newest

    async def finish(self) -> None:
        """Wait for the repair that is running, if one is."""
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Stop the repair; the trades held back stay held."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _start(self, repair: Coroutine[Any, Any, None]) -> None:
        if self._task is not None and not self._task.done():
            repair.close()
            return
        self._task = asyncio.create_task(repair)
        self._task.add_done_callback(self._look_at_end)

    def _look_at_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def _repair(self) -> None:
        if self._ingest.missing is None:
            await self._backfill()
        while (missing := self._ingest.missing) is not None:
            await self._fill(*missing)

    async def _backfill(self) -> None:
        """Fetch the history from before the first trade, then release the stream."""
        ingest, seconds = self._ingest, self._config.backfill_seconds
        symbol, first = ingest.symbol, ingest.held[0]
        since = int(first["ts_event"]) - seconds * NS_PER_S
        history, short = await self._history.before(
            symbol, int(first["id"]), since, ingest.room_for_history
        )
        ingest.begin(history)
        if len(history) and not short:
            self._say(Code.HISTORY, f"{symbol}: {len(history)} trades of history fetched", symbol)
        elif len(history):
            times = history["ts_event"][history["flags"] & VOID == 0]
            covered = int(first["ts_event"] - times.min(initial=first["ts_event"])) / NS_PER_S
            text = f"{symbol}: {len(history)} trades of history, {covered:.0f} of {seconds} s"
            self._say(Code.SHORT_HISTORY, f"{text} ({short})", symbol)
        elif not self._config.plays_locally:  # a tape has none
            self._say(Code.NO_HISTORY, f"{symbol}: no history from the venue ({short})", symbol)

    async def _fill(self, first: int, last: int) -> None:
        """Fill a hole as far as the venue can, and give up the rest of it."""
        symbol = self._ingest.symbol
        await asyncio.sleep(ON_THE_WAY_S)
        if self._ingest.missing != (first, last):
            return
        for attempt in range(TRIES):
            fetched, reason = await self._history.between(symbol, first, last, self._newest_kept())
            self._ingest.fill(fetched)
            if len(fetched):
                text = f"{symbol}: {len(fetched)} missed trades fetched"
                self._say(Code.REPAIRED, text, symbol)
            if self._ingest.missing != (first, last):
                return
            if attempt < TRIES - 1:
                await asyncio.sleep(TRY_AGAIN_S)
        self._ingest.give_up()
        text = f"{symbol}: gap, trades {first} to {last} are missing ({reason})"
        if not self._history.proves_loss:
            text = f"{symbol}: gap, trades may be missing before {last + 1} ({reason})"
        self._say(Code.GAP, text, symbol)

    async def _fetch_tail(self, first: int, last: int) -> None:
        """Fetch what the venue has named and not streamed; a later trade shows what stays lost."""
        symbol = self._ingest.symbol
        fetched, _ = await self._history.between(symbol, first, last, self._newest_kept())
        known = self._ingest.newest_id
        fetched = fetched[fetched["id"] > (known or 0)]
        if len(fetched) and not len(self._ingest.held):
            self._ingest.push(fetched)
            self._say(Code.REPAIRED, f"{symbol}: {len(fetched)} missed trades fetched", symbol)

    def _newest_kept(self) -> int:
        """Return the event time of the newest trade that is kept, ns."""
        newest = self._ingest.ticks.tail(1).rows["ts_event"]
        return int(newest[0]) if len(newest) else int(self._ingest.held["ts_event"][0]) - HOUR_NS

"""A stream on which nothing comes: a quiet market, or one that we miss? REST tells.

Pings and heartbeats only prove that the other side lives: a venue accepts the stream of a symbol
that it does not have, a subscription can be lost while the connection stays, and where a stream has
been moved, the old address acknowledges and is silent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from streaming.errors import RepairError, UnknownSymbolError
from streaming.events import Code
from streaming.feed.connection.connection import Connection
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.market.ingest import Ingest
from streaming.feed.rest.history import TradeHistory
from streaming.rings.counters import ConnectionState
from streaming.ticks import NS_PER_S


class SilenceWatch:
    """Drops a connection that is open but does not bring what happens.

    Args:
        stale_seconds: how long a silence is allowed.
        connections: that of the trades, then the one of the quotes, if there are two.
        files: keeps counters, state and events.
        history: knows the venue's newest trades.
        venue_now: returns the venue's time, ns.
    """

    def __init__(
        self,
        stale_seconds: float,
        connections: Sequence[Connection],
        files: StreamFiles,
        history: TradeHistory,
        venue_now: Callable[[], int],
    ) -> None:
        self._stale_seconds, self._connections = stale_seconds, connections
        self._files, self._history = files, history
        self._venue_now = venue_now
        # When the last trade came or the silence was judged; the last trade; the last quote.
        self._last_data = self._last_trade = self._last_quote = time.monotonic()

    def note_data(self) -> None:
        """Take note that trades come."""
        self._last_data = self._last_trade = time.monotonic()

    def note_quotes(self) -> None:
        """Take note that quotes come."""
        self._last_quote = time.monotonic()

    async def watch(self) -> None:
        """Look at the silence for ever."""
        stale_seconds = self._stale_seconds
        while True:
            await asyncio.sleep(min(1.0, stale_seconds / 4))
            if not self._connections[0].is_open:
                self._last_data = time.monotonic()
            elif time.monotonic() - self._last_data > stale_seconds:
                await self._judge()
            for connection in self._connections[1:]:
                if not connection.is_open:
                    self.note_quotes()
                elif self._last_trade - self._last_quote > stale_seconds:
                    text = f"no quote for {time.monotonic() - self._last_quote:.0f} s"
                    connection.drop(Code.STALE, text, elsewhere=True)
                    self.note_quotes()

    async def _judge(self) -> None:
        """Drop the connection if the venue has trades that it did not bring."""
        since, seconds = self._last_data, time.monotonic() - self._last_data
        missed, unknown = "", False
        for ingest in self._files.ingests.values():
            try:
                missed = missed or await self._missed(ingest, seconds)
            except UnknownSymbolError as e:
                unknown = True
                text = f"{ingest.symbol}: the venue does not know this symbol ({e})"
                self._files.say_once(Code.UNKNOWN_SYMBOL, text, ingest.symbol)
            except RepairError as e:
                missed = f"REST does not say whether there were trades: {e}"
        if self._last_data != since:
            return  # something has come meanwhile
        self._last_data = time.monotonic()
        if missed:
            self._files.set_state(ConnectionState.STALE)
            text = f"silent for {seconds:.0f} s; {missed}"
            self._connections[0].drop(Code.STALE, text, elsewhere=True)
        elif not unknown:
            self._files.note_alive(time.time_ns())
            text = f"no trade for {seconds:.0f} s, and REST has none newer"
            self._files.say_once(Code.QUIET, text)

    async def _missed(self, ingest: Ingest, seconds: float) -> str:
        """Return which trade the stream did not bring in its silence; "" if it brought all."""
        for newest in await self._history.newest(ingest.symbol):
            known = ingest.newest_id
            age = (self._venue_now() - int(newest["ts_event"])) / NS_PER_S
            if newest["id"] > known if known is not None else age < seconds:
                return f"REST has trade {newest['id']} of {ingest.symbol}"
        return ""

"""The feed: the only reader of a venue's stream, and the only writer of ticks and bars.

python -m streaming.feed SESSION_FOLDER

Connection -> Batcher -> decoder -> Ingest (one for each symbol) -> rings
                                      └ trades held back -> GapRepair -> REST -> Ingest
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path

from streaming.batching import Batcher
from streaming.config import StreamConfig
from streaming.connection import Connection
from streaming.counters import ConnectionState
from streaming.entry_point import entry_point
from streaming.errors import RepairError
from streaming.events import Code
from streaming.gap_repair import GapRepair
from streaming.process import end_signals, end_with_parent
from streaming.rest_client import get
from streaming.stream_files import StreamFiles
from streaming.ticks import Ticks
from streaming.venue_clock import VenueClock, midpoint
from streaming.venues import Venue
from streaming.venues.binance import Binance

CLOCK_SECONDS = 60.0  # between two readings of the venue's clock
FIRST_CLOCK_SECONDS = 1.0  # ... until the first has succeeded
LAG_WEIGHT = 0.1  # the newest lag's share in the exponential average


class Feed:
    """One venue's stream into the files of a session.

    Args:
        config: the session's stream settings.
        session: the session's folder.
        venue: decodes the wire format.
    """

    def __init__(self, config: StreamConfig, session: Path, venue: Venue) -> None:
        self.config, self.venue = config, venue
        self._files = StreamFiles(config, session)
        self._repairs = {
            symbol: GapRepair(venue, ingest, config, self._files.say)
            for symbol, ingest in self._files.ingests.items()
        }
        self._batcher = Batcher(self._handle)
        self._connection = Connection(venue.stream_url(), config, self._batcher, self._files)
        self._venue_clock: VenueClock | None = None

    async def run(self) -> None:
        """Stream until cancelled, or until the tape has ended."""
        work = [self._stream(), self._connection.watch(), self._read_clock()]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            # A task that fails ends the feed: the stream must not go on without its watchdog.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._finish()

    async def _stream(self) -> None:
        await self._connection.keep()
        for repair in self._repairs.values():
            await repair.finish()
        self._files.say(Code.TAPE_ENDED, "the tape was played to its end")
        self._files.set_state(ConnectionState.ENDED)

    async def _finish(self) -> None:
        """Handle what was received, and close the files.

        Trades held back behind a hole were never written: a feed that goes on with the session
        asks for them again.
        """
        self._batcher.flush()
        for repair in self._repairs.values():
            await repair.cancel()
        self._files.close()

    def _handle(self, frames: list[bytes], stamps: list[int]) -> None:
        decoded = self.venue.decode(frames, stamps)
        self._connection.note_data()
        self._files.count_rejected(decoded.rejected)
        for symbol, ticks in decoded.ticks.items():
            self._push(symbol, ticks)
        self._files.count_messages(len(frames), stamps[-1])
        self._files.write_tapes()
        if decoded.reconnect:
            self._connection.drop(Code.DISCONNECTED, decoded.reconnect)

    def _push(self, symbol: str, ticks: Ticks) -> None:
        ingest = self._files.ingests[symbol]
        ingest.push(ticks)
        if self._venue_clock is not None and len(ticks):
            last = ticks[-1]
            lag = self._venue_clock.lag_us(int(last["ts_event"]), int(last["ts_init"]))
            ingest.stats["lag_us"] += LAG_WEIGHT * (lag - ingest.stats["lag_us"])
        for recount in ingest.take_recounts():
            self._files.say(
                Code.RECOUNTED,
                f"{symbol}: the venue numbers its trades anew, from {recount.first_id} on, after"
                f" {recount.last_id}; {recount.dropped} trades behind a hole are dropped",
            )
        self._repairs[symbol].start_if_needed()

    async def _read_clock(self) -> None:
        """Read the venue's clock now and then, for the lag."""
        while True:
            sent = time.time_ns()
            with contextlib.suppress(RepairError, ValueError):
                venue_now = self.venue.parse_time(await get(self.venue.time_url()))
                rate = self.config.speed if self.config.plays_locally else 1.0
                self._venue_clock = midpoint(sent, time.time_ns(), venue_now, rate)
            await asyncio.sleep(CLOCK_SECONDS if self._venue_clock else FIRST_CLOCK_SECONDS)


async def stream(session: Path) -> None:
    """Run the feed of ``session`` until SIGTERM or SIGINT."""
    config = StreamConfig.load(session / "config.json")
    venue = Binance(
        config.symbol_list,
        channel=config.channel,
        ws=config.venue_ws,
        rest=config.venue_rest,
    )
    task = asyncio.create_task(Feed(config, session, venue).run())
    loop = asyncio.get_running_loop()
    for number in end_signals():
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


@entry_point("feed")
def main() -> None:
    """Run as a process of a session."""
    logging.basicConfig(level=logging.WARNING, format="feed: %(message)s")
    end_with_parent()
    asyncio.run(stream(Path(sys.argv[1])))


if __name__ == "__main__":
    main()

"""The feed: the only reader of a venue's stream, and the only writer of ticks and bars.

python -m streaming.feed SESSION_FOLDER

Connection -> Batcher -> decoder -> Ingest (one for each symbol) -> rings, tape
                                      └ trades held back -> GapRepair -> TradeHistory -> Ingest
RestClient asks for the history, for the venue's clock (ClockReader) and about a silence
(SilenceWatch); Reports says what there is to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

from streaming.batching import Batcher
from streaming.clock_reader import ClockReader
from streaming.config import StreamConfig
from streaming.connection import Connection
from streaming.counters import ConnectionState
from streaming.entry_point import entry_point
from streaming.events import Code
from streaming.gap_repair import GapRepair
from streaming.history import TradeHistory
from streaming.process import end_signals, end_with_parent
from streaming.rest_client import RestClient
from streaming.silence import SilenceWatch
from streaming.stream_files import StreamFiles
from streaming.ticks import Ticks
from streaming.venues import Venue
from streaming.venues.registry import venue_of

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
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rest = RestClient(venue)
        self._clock = ClockReader(venue, rest, config, self._files)
        history = TradeHistory(venue, rest, self._clock.latest, self._files.count_rejected)
        self._repairs = {
            symbol: GapRepair(history, ingest, config, self._files.say, self._fail)
            for symbol, ingest in self._files.ingests.items()
        }
        self._batcher = Batcher(self._handle, self._fail)
        self._connection = Connection(venue.stream_url(), config, self._batcher, self._files)
        self._silence = SilenceWatch(
            config, self._connection, self._files, history, self._clock.now
        )

    async def run(self) -> None:
        """Stream until cancelled, or until the tape has ended.

        Raises:
            RingError: if ticks cannot be kept.
            ConfigError: if the venue cannot be reached as the environment is.
        """
        work = [self._stream(), self._silence.watch(), self._clock.read()]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            # What fails ends the feed: the stream must not go on without its watchdog.
            done, _ = await asyncio.wait(
                [*tasks, self._failed], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._failed.cancel()
            await asyncio.gather(*tasks, self._failed, return_exceptions=True)
            await self._finish()

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _stream(self) -> None:
        await self._clock.wait_for_the_first()
        await self._connection.keep()
        for repair in self._repairs.values():
            await repair.finish()
        self._files.say(Code.TAPE_ENDED, "the tape is over")
        self._files.set_state(ConnectionState.ENDED)

    async def _finish(self) -> None:
        """Handle what was received, and close the files.

        Trades held back behind a hole were never written: a feed that goes on with the session
        asks for them again.
        """
        try:
            self._batcher.flush()
        finally:
            for repair in self._repairs.values():
                await repair.cancel()
            self._files.close()

    def _handle(self, frames: list[bytes], stamps: list[int]) -> None:
        decoded = self.venue.decode(frames, stamps, self._clock.latest())
        self._silence.note_data()
        for symbol, ticks in decoded.ticks.items():
            self._push(symbol, ticks)
        self._files.count_messages(len(frames), stamps[-1], decoded.rejected)
        self._files.write_tapes()
        if decoded.reconnect:
            self._connection.drop(Code.DISCONNECTED, decoded.reconnect)

    def _push(self, symbol: str, ticks: Ticks) -> None:
        ingest = self._files.ingests[symbol]
        ingest.push(ticks)
        if len(ticks):
            lag = self._clock.lag_us(int(ticks["ts_event"][-1]), int(ticks["ts_init"][-1]))
            if lag is not None:
                ingest.stats["lag_us"] += LAG_WEIGHT * (lag - ingest.stats["lag_us"])
        for recount in ingest.take_recounts():
            self._files.say(
                Code.RECOUNTED,
                f"{symbol}: the venue numbers its trades anew, from {recount.first_id} on, after"
                f" {recount.last_id}; {recount.dropped} trades behind a hole are dropped",
                symbol,
            )
        self._repairs[symbol].start_if_needed()


async def stream(session: Path) -> None:
    """Run the feed of ``session`` until SIGTERM or SIGINT."""
    config = StreamConfig.load(session / "config.json")
    task = asyncio.create_task(Feed(config, session, venue_of(config)).run())
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

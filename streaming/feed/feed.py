"""The feed: the only reader of venues' streams, and the only writer of ticks and bars.

For each venue:
Connection -> Batcher -> decoder -> Ingest (one for each market) -> rings, tape
                                      └ trades held back -> GapRepair -> TradeHistory -> Ingest
RestClient asks for the history, for the venue's clock (ClockReader) and about a silence
(SilenceWatch); TimeMarks says when a second is over; FeedReports says what there is to say.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from streaming.config import StreamConfig
from streaming.events import Code
from streaming.feed.clock.clock_reader import ClockReader
from streaming.feed.clock.time_marks import TimeMarks
from streaming.feed.connection.batching import BATCH_SECONDS, WAITING_BATCH_SECONDS, Batcher
from streaming.feed.connection.connection import Connection
from streaming.feed.files.reports import FeedReports
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.gap_repair import GapRepair
from streaming.feed.market.conflation import Conflation
from streaming.feed.overlap import Overlap
from streaming.feed.rest.history import TradeHistory
from streaming.feed.rest.rest_client import RestClient
from streaming.feed.silence import SilenceWatch
from streaming.feed.symbol_facts import SymbolFacts
from streaming.program.backoff import ConnectBudget
from streaming.quotes import NO_QUOTES, RECEIVED, Quotes
from streaming.rings.counters import ConnectionState
from streaming.ticks import NS_PER_MS, Ticks, make_ticks
from streaming.venues import Rejected, Venue
from streaming.venues.chosen import venues_of

NO_TICKS = make_ticks(0)
LAG_WEIGHT = 0.1  # the newest lag's share in the exponential average


class Feed:
    """One venue's stream into the files of a session.

    Args:
        config: the session's stream settings.
        files: the venue's markets'.
        venue: decodes the wire format.
    """

    def __init__(self, config: StreamConfig, files: StreamFiles, venue: Venue) -> None:
        self.config, self.venue, self._files = config, venue, files
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rest = RestClient(venue)
        self._clock = ClockReader(venue, rest, config, self._files)
        history = TradeHistory(venue, rest, self._clock.latest, self._files.count_rejected)
        self._symbols = SymbolFacts(venue, rest, files)
        self._repairs = {
            symbol: GapRepair(history, ingest, config, self._files.say, self._fail)
            for symbol, ingest in self._files.ingests.items()
        }
        seconds = WAITING_BATCH_SECONDS if config.waits else BATCH_SECONDS
        self._batcher = Batcher(self._handle, self._fail, seconds)
        self._conflations = {symbol: Conflation() for symbol in files.ingests}
        self._overlap = Overlap(venue, history, files.ingests, self._keep)
        budget = ConnectBudget(*venue.terms.connects)
        self._connection, *self._others = [
            Connection(
                link, venue.terms, budget, config, self._batcher, files, self._overlap.opened
            )
            for link in venue.links()
        ]
        self._marks = TimeMarks(
            venue.terms, files.ingests, self._connection, history, self._keep,
            config.grace_ms * NS_PER_MS,
        )  # fmt: skip
        # A venue of heartbeats is known to live: what is silent then is looked at as soon as that.
        stale_seconds = min(config.stale_seconds, venue.terms.silent_s)
        self._silence = SilenceWatch(
            stale_seconds, [self._connection, *self._others], files, history, self._clock.now
        )

    async def run(self) -> None:
        """Stream until cancelled, or until the tape has ended.

        Raises:
            RingError: if ticks cannot be kept.
            ConfigError: if the venue cannot be reached as the environment is.
        """
        work = [self._stream(), self._silence.watch(), self._clock.read(), self._overlap.join()]
        if not self.config.plays_locally:  # the built-in exchange says itself how far it is
            work.append(self._marks.keep())
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
        if not self.venue.terms.proof:
            text = "whether a trade is lost while connected is not provable here"
            self._files.say_once(Code.NOT_PROVABLE, f"{self.venue.name}: {text}", self.venue.name)
        await self._clock.wait_for_the_first()
        await self._symbols.fetch()
        links = (self._connection, *self._others)
        tasks = [asyncio.create_task(link.keep()) for link in links]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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
        latest = self._clock.latest()
        decoded = self.venue.decode(frames, stamps, latest)
        if any(map(len, decoded.ticks.values())):
            self._silence.note_data()
        if decoded.quotes:
            self._silence.note_quotes()
        for symbol in decoded.ticks.keys() | decoded.quotes.keys():
            ticks = decoded.ticks.get(symbol, NO_TICKS)
            self._note(symbol, ticks)
            updates = decoded.quotes.get(symbol, NO_QUOTES)
            self._keep(symbol, ticks, self._conflate(symbol, updates, latest, decoded.rejected))
        for symbol, ts in decoded.complete.items():
            self._marks.told(symbol, ts)
        self._files.count_messages(len(frames), stamps[-1], decoded.rejected)
        self._files.write_tapes()
        for symbol, newest in decoded.newest.items():
            self._repairs[symbol].look_behind(newest)
        for text in decoded.refused:
            self._files.say_once(Code.REFUSED, f"{self.venue.name} refuses: {text}", text)
        if decoded.reconnect:
            for connection in (self._connection, *self._others):
                connection.change(decoded.reconnect)

    def _conflate(self, symbol: str, updates: Quotes, latest: int, rejected: Rejected) -> Quotes:
        """Return what is kept of a batch of updates of the best bid and ask."""
        if len(updates) == 0:
            return updates
        self._marks.heard(symbol)
        timeless = updates["flags"] & RECEIVED != 0
        if timeless.any():
            times = self._marks.happened_at(symbol, updates["ts_init"][timeless])
            if times is None:  # before the first trade nothing says how long they were on their way
                updates = updates[~timeless]
            else:
                updates["ts_event"][timeless] = times
        return self._conflations[symbol].take(updates, latest, symbol, rejected)

    def _note(self, symbol: str, ticks: Ticks) -> None:
        """Take note of how long the newest of some streamed trades was on its way."""
        ingest = self._files.ingests[symbol]
        known = ingest.newest_id
        if len(ticks) == 0 or (known is not None and ticks["id"].max() <= known):
            return  # what is sent again says nothing
        at = int(ticks["id"].argmax())  # some venues send the newest first
        newest, received = int(ticks["ts_event"][at]), int(ticks["ts_init"][at])
        self._marks.heard(symbol, newest)
        lag = self._clock.lag_us(newest, received)
        if lag is not None:
            ingest.stats["lag_us"] += LAG_WEIGHT * (lag - ingest.stats["lag_us"])

    def _keep(self, symbol: str, ticks: Ticks, quotes: Quotes = NO_QUOTES) -> None:
        ingest = self._files.ingests[symbol]
        ingest.push(ticks, quotes)
        for recount in ingest.take_recounts():
            self._files.say(
                Code.RECOUNTED,
                f"{symbol}: the venue numbers its trades anew, from {recount.first_id} on, after"
                f" {recount.last_id}; {recount.dropped} trades behind a hole are dropped",
                symbol,
            )
        self._repairs[symbol].start_if_needed()


async def follow(config: StreamConfig, session: Path) -> None:
    """Follow every venue of a session until cancelled, or until a tape has ended.

    Raises:
        TickloopError: as ``Feed.run``; what fails for one venue ends all.
    """
    reports = FeedReports(session)
    try:
        feeds = [
            Feed(config, StreamFiles(config, session, venue.symbols, reports), venue)
            for venue in venues_of(config)
        ]
        tasks = [asyncio.create_task(feed.run()) for feed in feeds]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                raise result
    finally:
        reports.close()

"""Reads the venue's clock, now and then, and says how far ours is off."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

from streaming.config import StreamConfig
from streaming.errors import RepairError
from streaming.events import Code
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.rest.rest_client import RestClient
from streaming.feed.rest.venue_clock import (
    ClockReport,
    VenueClock,
    latest_time,
    midpoint,
    steady_ns,
)
from streaming.program.backoff import full_jitter
from streaming.ticks import NS_PER_S
from streaming.venues import Venue

EVERY_S = 60.0  # between two readings
HELD_EVERY_S = 1.0  # ... of a market that may stand still (``streaming.rings.credit``)
PATIENCE_S = 10.0
FIRST_S = 3.0  # how long the stream waits for the first attempt

# The longest that a frame is gathered before it is handled: more is our clock being set.
MAX_AGE_NS = NS_PER_S


class ClockReader:
    """The venue's time, as well as it is known.

    Args:
        venue: is asked for its time.
        rest: makes the requests.
        config: says at which rate the venue's time passes.
        files: reports events.
    """

    def __init__(
        self, venue: Venue, rest: RestClient, config: StreamConfig, files: StreamFiles
    ) -> None:
        self._venue, self._rest, self._files = venue, rest, files
        self._is_live = not config.plays_locally
        self._rate = 1.0 if self._is_live else config.speed
        self._every_s = EVERY_S if self._is_live else HELD_EVERY_S
        self._clock: VenueClock | None = None
        self._report = ClockReport()
        self._tried = asyncio.Event()
        self._away = False

    def now(self) -> int:
        """Return the venue's time, ns; ours until it is known."""
        return self._clock.at(steady_ns()) if self._clock is not None else time.time_ns()

    def latest(self) -> int:
        """Return the latest time that a trade can have now, ns."""
        return latest_time(self._clock, steady_ns(), time.time_ns())

    def lag_us(self, ts_event: int, ts_init: int) -> float | None:
        """Return how long a trade that has just come took from the venue to here, us."""
        if self._clock is None:
            return None
        age = min(max(0, time.time_ns() - ts_init), MAX_AGE_NS)
        return self._clock.lag_us(ts_event, steady_ns() - age)

    async def wait_for_the_first(self) -> None:
        """Wait until the first reading has come or failed, a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self._tried.wait()

    async def read(self) -> None:
        """Read the venue's clock for ever."""
        pauses = full_jitter(random.Random(), cap=self._every_s)
        while True:
            try:
                await self._read_once()
                pauses = full_jitter(random.Random(), cap=self._every_s)
                pause = self._every_s
            except RepairError as e:
                pause = next(pauses)
                self._note_away(e)
            self._tried.set()
            await asyncio.sleep(pause)

    async def _read_once(self) -> None:
        request = self._venue.time_request()
        reply = await self._rest.get(request, PATIENCE_S)
        try:
            venue_now = self._venue.parse_time(reply.body)
        except ValueError as e:
            raise RepairError(f"{request.url}: not a time: {reply.body[:60]!r}") from e
        read = midpoint(reply.sent, reply.received, venue_now, self._rate)
        if self._venue.terms.whole_seconds and self._clock is not None:
            # Each reading is up to a second behind: the latest of them is the best.
            read = max(read, self._clock, key=lambda clock: clock.at(reply.received))
        self._clock = read
        self._away = False
        error = (reply.received - reply.sent) // 2
        error += NS_PER_S * self._venue.terms.whole_seconds
        if self._is_live and (text := self._report.text(time.time_ns(), self.now(), error)):
            self._files.say(Code.CLOCK_OFF, text, text)

    def _note_away(self, error: RepairError) -> None:
        if self._is_live and not self._away:  # the built-in exchange may still be starting
            text = f"the venue's REST interface cannot be used: {error}"
            self._files.say(Code.REST_AWAY, text)
        self._away = True

"""The feed: the only socket to a venue, and the only writer of ticks and bars.

    python -m streaming.feed SESSION_FOLDER

    socket -> batch of frames -> decoder -> Ingest (a symbol each) -> rings
                                               └ held back -> Mender -> REST -> Ingest

Frames are gathered for some ms and handled as one batch, which costs a fifth of handling
each by itself. Reconnecting, the staleness watchdog and gap repair are tasks beside the reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import websockets
from websockets.asyncio.client import ClientConnection, connect

from streaming.backoff import ConnectBudget, full_jitter
from streaming.cache import ConnectionState, Events
from streaming.clock import VenueClock, midpoint
from streaming.config import StreamConfig
from streaming.errors import KnobError, RepairError, RingError, TapeError
from streaming.ingest import Ingest
from streaming.mend import Mender
from streaming.process import end_with_parent
from streaming.repair import get, on_this_machine
from streaming.tape import TapeWriter
from streaming.ticks import Ticks
from streaming.venues import Venue
from streaming.venues.binance import Binance

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.05
MAX_BATCH = 2048
MAX_QUEUE = 8192  # frames websockets may hold before it stops reading
MAX_MESSAGE_BYTES = 4 * 2**20  # above this the connection is closed (1009)

# The backoff starts anew only after a connection that lived and carried trades: a server that
# accepts and closes at once would otherwise be tried without end.
PROVEN_SECONDS = 60.0
CLOCK_SECONDS = 60.0
END_OF_TAPE = "end of tape"


class Feed:
    """One venue's stream into the rings of a session.

    Args:
        config: the session's stream settings.
        session: the session's folder.
        venue: whose wire format to speak.
    """

    def __init__(self, config: StreamConfig, session: Path, venue: Venue) -> None:
        self.config, self.venue = config, venue
        self.ingests = {symbol: Ingest(session, symbol, config) for symbol in config.symbol_list}
        self.tapes = [
            TapeWriter(ingest.ticks, session / "tape", symbol)
            for symbol, ingest in self.ingests.items()
            if config.segment_seconds
        ]
        self._events = Events(session, "feed")
        self._rng = random.Random()
        self._frames: list[bytes] = []
        self._stamps: list[int] = []
        self._flush_due = False
        self._told: set[str] = set()  # reasons of dropped messages that were told once
        self._menders = {
            symbol: Mender(venue, ingest, config, self._say)
            for symbol, ingest in self.ingests.items()
        }
        self._last_data = self._tape_written = time.monotonic()
        self._clock: VenueClock | None = None
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        """Stream until cancelled, or until the tape has been played to its end."""
        work = [self._stay_connected(), self._watch(), self._read_clock()]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            # A chore that fails (a full disk, say) must not leave the stream without it.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._finish()

    async def _finish(self) -> None:
        """Take what was received, and close the files.

        What is held behind a hole was never acknowledged: it is asked for again when the session
        goes on.
        """
        self._flush()
        for mender in self._menders.values():
            await mender.cancel()
        for tape in self.tapes:
            tape.write_pending()
        for ingest in self.ingests.values():
            ingest.close()
        self._events.close()

    # ---- connection

    async def _stay_connected(self) -> None:
        budget, delays = ConnectBudget(), self._new_delays()
        while True:
            await asyncio.sleep(budget.wait(time.monotonic()))
            budget.spend(time.monotonic())
            started = time.monotonic()
            seen = self._n_ticks()
            reason = await self._connect_once()
            if reason == END_OF_TAPE and self.config.plays_locally:
                for mender in self._menders.values():
                    await mender.settle()
                self._say("the tape was played to its end")
                self._set_state(ConnectionState.ENDED)
                return
            if self._socket is not None:
                self._count("reconnects")
                self._set_state(ConnectionState.RECONNECTING)
            if time.monotonic() - started >= PROVEN_SECONDS and self._n_ticks() > seen:
                delays = self._new_delays()
            delay = next(delays)
            self._say_lost(reason, delay)
            await asyncio.sleep(delay)

    async def _connect_once(self) -> str:
        """Stream over one connection; return why it ended."""
        url = self.venue.stream_url()
        try:
            async with connect(
                url,
                compression=None,
                max_queue=MAX_QUEUE,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=10,
                close_timeout=1,
                proxy=None if on_this_machine(url) else True,
            ) as self._socket:
                self._say(f"connected to {url}")
                self._set_state(ConnectionState.CONNECTED)
                self._last_data = time.monotonic()
                await self._read(self._socket)
        except websockets.ConnectionClosed as e:
            self._flush()
            if e.rcvd is None and e.sent is not None and e.sent.code == 1009:
                self._count_rejected(Counter({("", "oversized"): 1}))
            return e.rcvd.reason if e.rcvd and e.rcvd.reason else str(e)
        except websockets.InvalidStatus as e:
            await asyncio.sleep(_retry_after(e))
            return f"HTTP {e.response.status_code}"
        except (OSError, TimeoutError, websockets.WebSocketException) as e:
            return str(e) or type(e).__name__
        raise AssertionError("unreachable: _read ends by an exception only")

    async def _read(self, socket: ClientConnection) -> None:
        """Gather frames; the loop is the hot path, so it only appends."""
        recv, now = socket.recv, time.time_ns
        loop = asyncio.get_running_loop()
        frames, stamps = self._frames, self._stamps
        while True:
            frame = await recv(decode=False)
            frames.append(frame)
            stamps.append(now())
            if not self._flush_due:
                self._flush_due = True
                loop.call_later(BATCH_SECONDS, self._flush)
            if len(frames) >= MAX_BATCH:
                self._flush()

    def _flush(self) -> None:
        """Handle the gathered frames."""
        self._flush_due = False
        if not self._frames:
            return
        decoded = self.venue.decode(self._frames, self._stamps)
        newest = self._stamps[-1]
        self._count("messages", len(self._frames))
        self._last_data = time.monotonic()
        self._frames.clear()
        self._stamps.clear()
        self._count_rejected(decoded.rejected)
        for symbol, ticks in decoded.ticks.items():
            self._take(symbol, self.ingests[symbol], ticks)
        for ingest in self.ingests.values():
            ingest.stats["last_message_ns"] = newest
        self._write_tapes()
        if decoded.reconnect:
            self._drop(decoded.reconnect)

    def _take(self, symbol: str, ingest: Ingest, ticks: Ticks) -> None:
        ingest.push(ticks)
        if self._clock is not None and len(ticks):
            last = ticks[-1]
            lag = self._clock.lag_us(int(last["ts_event"]), int(last["ts_init"]))
            ingest.stats["lag_us"] += 0.1 * (lag - ingest.stats["lag_us"])
        self._menders[symbol].look()

    def _say_lost(self, reason: str, delay: float) -> None:
        """Tell why there is no connection; that our own exchange is still starting is no news."""
        if self._socket is not None or not self.config.plays_locally:
            what = "no connection" if self._socket is None else "connection lost"
            self._say(f"{what} ({reason}); next attempt in {delay:.1f} s")
        self._socket = None

    # ---- chores

    async def _watch(self) -> None:
        """Drop a connection that is open but silent: pings do not notice those."""
        while True:
            await asyncio.sleep(min(1.0, self.config.stale_seconds / 4))
            silent = time.monotonic() - self._last_data
            if self._socket is not None and silent > self.config.stale_seconds:
                self._set_state(ConnectionState.STALE)
                self._last_data = time.monotonic()
                self._drop(f"silent for {silent:.0f} s")

    def _drop(self, reason: str) -> None:
        """End the connection without waiting for the other side; the loop makes a new one."""
        if self._socket is not None:
            self._say(f"dropping the connection: {reason}")
            self._socket.transport.abort()

    async def _read_clock(self) -> None:
        """Keep an idea of the venue's clock, for the lag."""
        while True:
            sent = time.time_ns()
            with contextlib.suppress(RepairError, ValueError):
                venue_now = self.venue.parse_time(await get(self.venue.time_url()))
                rate = self.config.speed if self.config.plays_locally else 1.0
                self._clock = midpoint(sent, time.time_ns(), venue_now, rate)
            await asyncio.sleep(CLOCK_SECONDS if self._clock else 1.0)

    def _write_tapes(self) -> None:
        """Write segments now and then, and early if the ring would overwrite ticks.

        Done between two batches and not in a thread: it takes some ms, and a burst must not run
        ahead of its tape.
        """
        now = time.monotonic()
        due = now - self._tape_written >= self.config.segment_seconds
        self._tape_written = now if due else self._tape_written
        for tape in self.tapes:
            if due or tape.pending > self.config.tick_cache // 2:
                tape.write_pending()

    # ---- counters and events

    def _new_delays(self) -> Iterator[float]:
        return full_jitter(self._rng)

    def _n_ticks(self) -> int:
        return sum(ingest.ticks.committed for ingest in self.ingests.values())

    def _set_state(self, state: ConnectionState) -> None:
        for ingest in self.ingests.values():
            ingest.stats["state"] = state

    def _count(self, name: str, n: int = 1) -> None:
        """Count what concerns the connection, not one symbol: kept with the first one."""
        next(iter(self.ingests.values())).stats[name] += n

    def _count_rejected(self, rejected: Counter[tuple[str, str]]) -> None:
        for (symbol, reason), n in rejected.items():
            if reason not in self._told:
                self._told.add(reason)
                self._say(f"dropped a message of the venue: {reason}; further ones are counted")
            if symbol:
                self.ingests[symbol].stats[f"rejected_{reason}"] += n
            else:
                self._count(f"rejected_{reason}", n)

    def _say(self, text: str) -> None:
        log.info("%s", text)
        self._events.say(text, time.time_ns())


def _retry_after(refusal: websockets.InvalidStatus) -> float:
    """Return the seconds a venue that refuses us wants to be left alone, at most 5 min."""
    if refusal.response.status_code not in (403, 418, 429, 451):
        return 0.0
    try:
        return min(300.0, float(refusal.response.headers.get("Retry-After", "10")))
    except ValueError:
        return 10.0


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
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run as a process of a session."""
    logging.basicConfig(level=logging.WARNING, format="feed: %(message)s")
    end_with_parent()
    try:
        asyncio.run(stream(Path(sys.argv[1])))
    except RingError as e:
        sys.exit(f"feed: {e}")
    except (KnobError, TapeError) as e:
        sys.stderr.write(f"feed: {e}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()

"""The connection to a venue's stream: opened, watched for silence, and opened again when lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import websockets
from websockets.asyncio.client import ClientConnection, connect

from streaming.backoff import ConnectBudget, full_jitter, retry_after_seconds
from streaming.batching import Batcher
from streaming.config import StreamConfig
from streaming.counters import ConnectionState
from streaming.events import Code
from streaming.rest_client import on_this_machine
from streaming.stream_files import StreamFiles

MAX_QUEUE = 8192  # frames websockets may hold before it stops reading
MAX_MESSAGE_BYTES = 4 * 2**20  # above this the connection is closed with code TOO_BIG
TOO_BIG = 1009

# The backoff starts anew only after a connection that lived this long and carried trades: a
# server that accepts and closes at once would otherwise be tried without end.
PROVEN_SECONDS = 60.0
END_OF_TAPE = "end of tape"

# Statuses with which a venue refuses an address, and how long it is left alone then.
REFUSED = (403, 418, 429, 451)
REFUSED_WAIT_S = 10.0  # if it names no wait in seconds
MAX_REFUSED_WAIT_S = 300.0


class Connection:
    """Keep one websocket to a venue.

    Args:
        url: the stream's address.
        config: says how long a silence is allowed, and whether the built-in exchange is the venue.
        batcher: reads the frames.
        files: keeps counters, state and events.
    """

    def __init__(
        self, url: str, config: StreamConfig, batcher: Batcher, files: StreamFiles
    ) -> None:
        self._url, self._config = url, config
        self._batcher, self._files = batcher, files
        self._rng = random.Random()
        self._socket: ClientConnection | None = None
        self._last_data = time.monotonic()

    def note_data(self) -> None:
        """Take note that the stream is not silent."""
        self._last_data = time.monotonic()

    def drop(self, code: Code, reason: str) -> None:
        """End the connection without waiting for the other side; ``keep`` makes a new one."""
        if self._socket is not None:
            self._files.say(code, f"dropping the connection: {reason}")
            self._socket.transport.abort()

    async def watch(self) -> None:
        """Drop a connection that is open but silent: pings do not notice those."""
        stale_seconds = self._config.stale_seconds
        while True:
            await asyncio.sleep(min(1.0, stale_seconds / 4))
            silent = time.monotonic() - self._last_data
            if self._socket is not None and silent > stale_seconds:
                self._files.set_state(ConnectionState.STALE)
                self.note_data()
                self.drop(Code.STALE, f"silent for {silent:.0f} s")

    async def keep(self) -> None:
        """Connect again whenever the connection is lost; return at the end of a tape."""
        budget, delays = ConnectBudget(), self._new_delays()
        while True:
            await asyncio.sleep(budget.wait(time.monotonic()))
            budget.spend(time.monotonic())
            started, ticks_before = time.monotonic(), self._files.n_ticks
            reason = await self._connect_once()
            if reason == END_OF_TAPE and self._config.plays_locally:
                return
            if self._socket is not None:
                self._files.count("reconnects")
                self._files.set_state(ConnectionState.RECONNECTING)
            proven = time.monotonic() - started >= PROVEN_SECONDS
            if proven and self._files.n_ticks > ticks_before:
                delays = self._new_delays()
            delay = next(delays)
            self._report_loss(reason, delay)
            self._socket = None
            await asyncio.sleep(delay)

    async def _connect_once(self) -> str:
        """Stream over one connection; return why it ended."""
        try:
            async with connect(
                self._url,
                compression=None,
                max_queue=MAX_QUEUE,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=10,
                close_timeout=1,
                proxy=None if on_this_machine(self._url) else True,
            ) as self._socket:
                self._files.say(Code.CONNECTED, f"connected to {self._url}")
                self._files.set_state(ConnectionState.CONNECTED)
                self.note_data()
                await self._batcher.read(self._socket)
        except websockets.ConnectionClosed as e:
            self._batcher.flush()
            if e.rcvd is None and e.sent is not None and e.sent.code == TOO_BIG:
                self._files.count_rejected(Counter({("", "oversized"): 1}))
            return e.rcvd.reason if e.rcvd and e.rcvd.reason else str(e)
        except websockets.InvalidStatus as e:
            await asyncio.sleep(_refused_wait(e))
            return f"HTTP {e.response.status_code}"
        except (OSError, TimeoutError, websockets.WebSocketException) as e:
            return str(e) or type(e).__name__
        raise AssertionError("unreachable: reading ends by an exception only")

    def _report_loss(self, reason: str, delay: float) -> None:
        """Report why there is no connection; the built-in exchange may still be starting."""
        if self._socket is None and self._config.plays_locally:
            return
        what = "no connection" if self._socket is None else "connection lost"
        text = f"{what} ({reason}); next attempt in {delay:.1f} s"
        self._files.say(Code.DISCONNECTED, text)

    def _new_delays(self) -> Iterator[float]:
        return full_jitter(self._rng)


def _refused_wait(refusal: websockets.InvalidStatus) -> float:
    """Return how many seconds a venue that refuses us wants to be left alone."""
    if refusal.response.status_code not in REFUSED:
        return 0.0
    wait = retry_after_seconds(refusal.response.headers.get("Retry-After"), REFUSED_WAIT_S)
    return min(MAX_REFUSED_WAIT_S, wait)

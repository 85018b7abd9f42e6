"""The connection to a venue's stream: opened, and opened again when lost.

A peer that is gone is found by the library's pings; whether a silent stream misses something is
judged in ``streaming.silence``.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import websockets
from websockets.asyncio.client import ClientConnection, connect

from streaming.backoff import ConnectBudget, full_jitter, retry_after_seconds
from streaming.batching import BATCH_SECONDS, Batcher
from streaming.config import StreamConfig
from streaming.counters import ConnectionState
from streaming.errors import ConfigError
from streaming.events import Code
from streaming.proxies import on_this_machine, proxy_fault
from streaming.stream_files import StreamFiles

MAX_QUEUE = 8192  # frames websockets may hold before it stops reading
MAX_MESSAGE_BYTES = 4 * 2**20  # above this the connection is closed with code TOO_BIG
TOO_BIG = 1009

# The backoff starts anew only after a connection that lived this long and carried trades: a
# server that accepts and closes at once would otherwise be tried without end.
PROVEN_SECONDS = 60.0
PONG_S = 10.0  # how long the answer to a ping may take
END_OF_TAPE = "end of tape"

# Statuses with which a venue refuses an address for a while, or for where it is, and how long it is
# left alone then, s, if it names no time.
LIMITED, REFUSED = (418, 429), (403, 451)
LIMITED_WAIT_S, REFUSED_WAIT_S = 10.0, 300.0
MAX_WAIT_S = 300.0
ADVICE = "not served from here; try another venue, or other --venue_ws and --venue_rest"


class Ended(NamedTuple):
    """Why a connection has ended, or was not made.

    Attributes:
        reason: in words.
        refused: whether the venue does not serve this address.
        wait: how long it wants to be left alone, s.
    """

    reason: str
    refused: bool = False
    wait: float = 0.0


class Connection:
    """Keep one websocket to a venue.

    Args:
        url: the stream's address.
        config: says how long a silence is allowed, and whether the built-in exchange is the venue.
        batcher: reads the frames.
        files: keeps counters, state and events.

    Attributes:
        made: how many connections there have been.
    """

    def __init__(
        self, url: str, config: StreamConfig, batcher: Batcher, files: StreamFiles
    ) -> None:
        self._url, self._config = url, config
        self._batcher, self._files = batcher, files
        self._rng = random.Random()
        self._socket: ClientConnection | None = None
        self.made = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    async def answers(self) -> bool:
        """Return whether the venue answers a ping now: then all that it sent before is handled."""
        if (socket := self._socket) is None:
            return False
        try:
            await asyncio.wait_for(await socket.ping(), PONG_S)
        except (websockets.ConnectionClosed, TimeoutError):
            return False
        await asyncio.sleep(BATCH_SECONDS)  # what came before the answer may still be gathered
        self._batcher.flush()
        return socket is self._socket

    def drop(self, code: Code, reason: str) -> None:
        """End the connection without waiting for the other side; ``keep`` makes a new one."""
        if self._socket is not None:
            self._files.say(code, f"dropping the connection: {reason}")
            self._socket.transport.abort()

    async def keep(self) -> None:
        """Connect again whenever the connection is lost; return at the end of a tape.

        Raises:
            ConfigError: if the environment names a proxy that cannot be used.
        """
        if fault := proxy_fault(self._url):
            raise ConfigError(fault)
        budget, delays = ConnectBudget(), self._new_delays()
        while True:
            await asyncio.sleep(budget.wait(time.monotonic()))
            budget.spend(time.monotonic())
            started, ticks_before = time.monotonic(), self._files.n_ticks
            ended = await self._connect_once()
            if ended.reason == END_OF_TAPE and self._config.plays_locally:
                return
            if self._socket is not None:
                self._files.count("reconnects")
                self._files.set_state(ConnectionState.RECONNECTING)
            proven = time.monotonic() - started >= PROVEN_SECONDS
            if proven and self._files.n_ticks > ticks_before:
                delays = self._new_delays()
            delay = max(next(delays), ended.wait)
            self._report(ended, delay)
            self._socket = None
            await asyncio.sleep(delay)

    async def _connect_once(self) -> Ended:
        """Stream over one connection; return why it ended."""
        try:
            self._socket = await connect(
                self._url,
                compression=None,
                max_queue=MAX_QUEUE,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=10,
                close_timeout=1,
                proxy=None if on_this_machine(self._url) else True,
            )
        except websockets.InvalidStatus as e:
            return _refusal(e.response.status_code, e.response.headers.get("Retry-After"))
        except websockets.InvalidProxy as e:
            return Ended(f"the proxy is none: {e.msg}")  # its address may have a password
        except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as e:
            return Ended(str(e) or type(e).__name__)
        self.made += 1
        self._files.say(Code.CONNECTED, f"connected to {self._url}")
        self._files.set_state(ConnectionState.CONNECTED)
        return Ended(await self._stream(self._socket))

    async def _stream(self, socket: ClientConnection) -> str:
        """Read frames until the connection ends; return why it did."""
        try:
            async with socket:
                await self._batcher.read(socket)
        except websockets.ConnectionClosed as e:
            self._batcher.flush()
            if e.rcvd is None and e.sent is not None and e.sent.code == TOO_BIG:
                self._files.count_messages(1, time.time_ns(), Counter({("", "oversized"): 1}))
            return e.rcvd.reason if e.rcvd and e.rcvd.reason else str(e)
        raise AssertionError("unreachable: reading ends by an exception only")

    def _report(self, ended: Ended, delay: float) -> None:
        """Report why there is no connection; the built-in exchange may still be starting."""
        if self._socket is None and self._config.plays_locally:
            return
        what = "no connection" if self._socket is None else "connection lost"
        if ended.refused:
            self._files.say(Code.REFUSED, f"{what}: {ended.reason}: {ADVICE}")
        else:
            text = f"{what}: {ended.reason}; next attempt in {delay:.1f} s"
            self._files.say(Code.DISCONNECTED, text, what)

    def _new_delays(self) -> Iterator[float]:
        return full_jitter(self._rng)


def _refusal(status: int, retry_after: str | None) -> Ended:
    usual = LIMITED_WAIT_S if status in LIMITED else REFUSED_WAIT_S if status in REFUSED else 0.0
    wait = min(MAX_WAIT_S, retry_after_seconds(retry_after, usual)) if usual else 0.0
    return Ended(f"HTTP {status}", status in REFUSED, wait)

"""The connection to a venue's stream: opened, opened again when lost, changed as planned.

Before a planned change (the venue ends connections after a day, or has announced a restart) the
new connection is opened first; for a moment both bring the stream, and what comes twice falls by
its id. Whether a silent stream misses something is judged in ``streaming.feed.silence``.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.events import Code
from streaming.feed.connection.batching import BATCH_SECONDS, Batcher
from streaming.feed.connection.open_socket import ConnectionEnd, OpenSocket, open_socket
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.rest.proxies import on_this_machine, proxy_fault
from streaming.program.backoff import ConnectBudget, full_jitter
from streaming.rings.counters import ConnectionState
from streaming.venues import Link, Terms

# The backoff starts anew after a connection that lived this long and carried trades: a
# server that accepts and closes at once would otherwise be tried without end.
PROVEN_SECONDS = 0.5
PONG_S = 10.0  # how long the answer to a ping may take
END_OF_TAPE = "end of tape"
ADVICE = "not served from here; try another venue, or other --venue_ws and --venue_rest"

# In a planned change, how long the new connection may take to bring something, and how long the old
# one goes on then: what was sent over it before is to come before what the new one begins with.
FIRST_FRAME_S, OVERLAP_S = 5.0, 0.5
AGAIN_S = 2.0  # after which a change is tried again that did not come about

# A connection is changed in this part of its life, so that those of many programs are not at once.
CHANGED_AT = (0.9, 0.97)


class Connection:
    """Keep one websocket to a venue.

    Args:
        link: what it carries, and where that can be had.
        terms: the venue's.
        budget: how often it may be tried, with all other connections of the venue.
        config: says whether the built-in exchange is the venue.
        batcher: reads the frames.
        files: keeps counters, state and events.
        opened: is called when the stream begins anew, and trades may have been missed.

    Attributes:
        made: how many times the stream has begun; a planned change is none.
    """

    def __init__(
        self,
        link: Link,
        terms: Terms,
        budget: ConnectBudget,
        config: StreamConfig,
        batcher: Batcher,
        files: StreamFiles,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._link, self._terms = link, terms
        self._budget, self._config = budget, config
        self._batcher, self._files, self._opened = batcher, files, opened
        self._rng = random.Random()
        self._route = 0
        self._socket: OpenSocket | None = None
        self._change = asyncio.Event()
        self._why = ""
        self._tasks: set[asyncio.Task[Any]] = set()
        self.made = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    async def answers(self) -> bool:
        """Return whether the venue answers a ping now: then all that it sent before is handled."""
        if (socket := self._socket) is None or not await socket.answers(PONG_S):
            return False
        await asyncio.sleep(BATCH_SECONDS)  # what came before the answer may still be gathered
        self._batcher.flush()
        return socket is self._socket

    def drop(self, code: Code, reason: str, *, elsewhere: bool = False) -> None:
        """End the connection without waiting for the other side; ``keep`` makes a new one.

        Args:
            code: the kind of event.
            reason: in words.
            elsewhere: try the next route, if there is one.
        """
        if self._socket is not None:
            self._files.say(code, f"dropping the connection{self._of_what}: {reason}")
            self._socket.abort()
            if elsewhere:
                self._route += 1

    def change(self, reason: str) -> None:
        """Have another connection take over before this one ends."""
        self._why = reason
        self._change.set()

    async def keep(self) -> None:
        """Connect again whenever the connection is lost; return at the end of a tape.

        Raises:
            ConfigError: if the environment names a proxy that cannot be used.
        """
        if fault := proxy_fault(self._link.routes[0].url):
            raise ConfigError(fault)
        delays = self._new_delays()
        while True:
            started, ticks_before = time.monotonic(), self._files.n_ticks
            ended = await self._connect_once()
            if ended.reason == END_OF_TAPE and self._config.plays_locally:
                return
            if self._socket is not None:
                self._files.count("reconnects")
                self._set_state(ConnectionState.RECONNECTING)
            if ended.silent or self._socket is None:
                self._route += 1
            proven = time.monotonic() - started >= PROVEN_SECONDS
            if proven and self._files.n_ticks > ticks_before:
                delays = self._new_delays()
            delay = max(next(delays), ended.wait)
            self._report(ended, delay)
            self._socket = None
            await asyncio.sleep(delay)

    async def _connect_once(self) -> ConnectionEnd:
        """Stream over one connection, and those that take over from it; return why it ended."""
        opened = await self._open()
        if isinstance(opened, ConnectionEnd):
            return opened
        self._socket = opened
        self._files.say(Code.CONNECTED, f"connected to {self._url}")
        self._set_state(ConnectionState.CONNECTED)
        self._change.clear()
        self._begin()
        return await self._stream(opened)

    def _begin(self) -> None:
        """Take note that the stream begins anew."""
        self.made += 1
        self._opened()

    async def _open(self) -> OpenSocket | ConnectionEnd:
        if not on_this_machine(self._url):
            await asyncio.sleep(self._budget.wait(time.monotonic()))
            self._budget.spend(time.monotonic())
        route = self._link.routes[self._route % len(self._link.routes)]
        return await open_socket(route, self._terms, self._batcher, self._files)

    async def _stream(self, current: OpenSocket) -> ConnectionEnd:
        """Read until the stream is lost; return why it was."""
        reading = self._read(current)
        try:
            while True:
                changing = asyncio.create_task(self._changing())
                self._tasks.add(changing)
                await asyncio.wait({reading, changing}, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    return reading.result()
                self._change.clear()
                if (taken := await self._take_over(current, reading)) is not None:
                    current, reading = taken
        finally:
            tasks, self._tasks = self._tasks, set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _read(self, socket: OpenSocket) -> asyncio.Task[ConnectionEnd]:
        self._tasks = {task for task in self._tasks if not task.done()}
        reading = asyncio.create_task(socket.read())
        self._tasks.add(reading)
        return reading

    async def _changing(self) -> None:
        """Wait until the connection is to be changed."""
        life = self._terms.lifetime_s * self._rng.uniform(*CHANGED_AT)
        try:
            async with asyncio.timeout(None if life == math.inf else life):
                await self._change.wait()
        except TimeoutError:
            self._why = "the venue ends connections of this age"

    async def _take_over(
        self, old: OpenSocket, reading: asyncio.Task[ConnectionEnd]
    ) -> tuple[OpenSocket, asyncio.Task[ConnectionEnd]] | None:
        """Open a connection beside ``old`` and end that; return the new one, None without one."""
        new = await self._open()
        if isinstance(new, ConnectionEnd):
            text = f"no connection to change to{self._of_what} yet: {new.reason}"
            self._files.say(Code.DISCONNECTED, text, "change")
            asyncio.get_running_loop().call_later(AGAIN_S, self._change.set)
            return None
        new_reading = self._read(new)
        deadline, lost = time.monotonic() + FIRST_FRAME_S, False
        while not new.has_brought and not new_reading.done() and time.monotonic() < deadline:
            lost = lost or reading.done()
            await asyncio.sleep(BATCH_SECONDS)
        await asyncio.wait({reading, new_reading}, timeout=OVERLAP_S)
        if new_reading.done():
            self._change.set()
            return None
        self._socket = new
        if lost:  # the old one ended before the new one brought anything
            self._files.count("reconnects")
            self._begin()
        self._files.say(Code.CHANGED, f"changed the connection{self._of_what}: {self._why}")
        await old.close()
        await reading
        return new, new_reading

    def _report(self, ended: ConnectionEnd, delay: float) -> None:
        """Report why there is no connection; the built-in exchange may still be starting."""
        if self._socket is None and self._config.plays_locally:
            return
        what = "no connection" if self._socket is None else "connection lost"
        what += self._of_what
        if ended.refused:
            self._files.say(Code.REFUSED, f"{what}: {ended.reason}: {ADVICE}")
        else:
            code = Code.STALE if ended.silent else Code.DISCONNECTED
            text = f"{what}: {ended.reason}; next attempt in {delay:.1f} s"
            self._files.say(code, text, what)

    @property
    def _url(self) -> str:
        return self._link.routes[self._route % len(self._link.routes)].url

    @property
    def _of_what(self) -> str:
        """What it carries, if that is not all; for messages."""
        return " for quotes" if self._link.carries == "quotes" else ""

    def _set_state(self, state: ConnectionState) -> None:
        if self._link.carries != "quotes":
            self._files.set_state(state)

    def _new_delays(self) -> Iterator[float]:
        return full_jitter(self._rng)

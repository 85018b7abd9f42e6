"""One websocket to a venue, from its opening to its end: greeted, kept alive, watched, read.

A peer that is gone is found by the library's pings. A venue that sends heartbeats, or answers a
ping of its own kind, must be heard now and then: else the connection is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import NamedTuple

import websockets
from websockets.asyncio.client import connect

from streaming.feed.connection.batching import Batcher, Pulse
from streaming.feed.connection.chunked_connection import ChunkedConnection
from streaming.feed.files.stream_files import StreamFiles
from streaming.feed.rest.proxies import on_this_machine
from streaming.program.backoff import retry_after_seconds
from streaming.venues import Route, Terms

MAX_QUEUE = 8192  # frames websockets may hold before it stops reading
MAX_MESSAGE_BYTES = 4 * 2**20  # above this the connection is closed with code TOO_BIG
TOO_BIG = 1009
LOOK_S = 0.5  # how often it is looked whether something has come

# Statuses with which a venue refuses an address for a while, or for where it is, and how long it is
# left alone then, s, if it names no time.
LIMITED, REFUSED = (418, 429), (403, 451)
LIMITED_WAIT_S, REFUSED_WAIT_S = 10.0, 300.0
MAX_WAIT_S = 300.0


class ConnectionEnd(NamedTuple):
    """Why a connection has ended, or was not made.

    Attributes:
        reason: in words.
        refused: whether the venue does not serve this address.
        wait: how long it wants to be left alone, s.
        silent: whether it was open, and nothing came.
    """

    reason: str
    refused: bool = False
    wait: float = 0.0
    silent: bool = False


class OpenSocket:
    """A connection that has been opened, and greeted as the venue wants.

    Args:
        socket: the library's.
        terms: say what to send now and then, and how long a silence may last.
        batcher: reads the frames.
        files: counts a frame that is too large.
    """

    def __init__(
        self, socket: ChunkedConnection, terms: Terms, batcher: Batcher, files: StreamFiles
    ) -> None:
        self._socket, self._terms = socket, terms
        self._batcher, self._files = batcher, files
        self._pulse = Pulse()
        self._silent = ""
        self.opened = time.monotonic()

    @property
    def has_brought(self) -> bool:
        """Whether a frame has come."""
        return self._pulse.frames > 0

    def abort(self) -> None:
        """End it without waiting for the other side."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """End it properly; what is on its way is read."""
        await self._socket.close()

    async def answers(self, seconds: float) -> bool:
        """Return whether the other side answers a ping in time."""
        try:
            async with asyncio.timeout(seconds):  # ``wait_for`` can swallow a cancellation
                await (await self._socket.ping())
        except (websockets.ConnectionClosed, TimeoutError):
            return False
        return True

    async def read(self) -> ConnectionEnd:
        """Read frames until it ends; return why it did."""
        watch = asyncio.create_task(self._watch())
        try:
            async with self._socket:
                await self._batcher.read(self._socket, self._pulse)
        except websockets.ConnectionClosed as e:
            self._batcher.flush()
            if self._silent:
                return ConnectionEnd(self._silent, silent=True)
            if e.rcvd is None and e.sent is not None and e.sent.code == TOO_BIG:
                self._files.count_messages(1, time.time_ns(), Counter({("", "oversized"): 1}))
            return ConnectionEnd(e.rcvd.reason if e.rcvd and e.rcvd.reason else str(e))
        finally:
            watch.cancel()
        raise AssertionError("unreachable: reading ends by an exception only")

    async def _watch(self) -> None:
        """Send the venue's kind of ping, and end a connection on which nothing comes."""
        terms, heard, sent = self._terms, time.monotonic(), time.monotonic()
        frames = 0
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.sleep(LOOK_S)
                now = time.monotonic()
                if self._pulse.frames != frames:
                    frames, heard = self._pulse.frames, now
                elif now - heard > terms.silent_s:
                    self._silent = f"nothing has come for {now - heard:.0f} s, no heartbeat either"
                    self.abort()
                if terms.ping and now - sent >= terms.ping_s:
                    sent = now
                    await self._socket.send(terms.ping)


async def open_socket(
    route: Route, terms: Terms, batcher: Batcher, files: StreamFiles
) -> OpenSocket | ConnectionEnd:
    """Connect and send the greeting; return why not if that fails."""
    try:
        socket = await connect(
            route.url,
            compression=None,
            max_queue=MAX_QUEUE,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=10,
            close_timeout=1,
            create_connection=ChunkedConnection,
            proxy=None if on_this_machine(route.url) else True,
        )
        for text in route.hello:
            await socket.send(text)
    except websockets.InvalidStatus as e:
        return _refusal(e.response.status_code, e.response.headers.get("Retry-After"))
    except websockets.InvalidProxy as e:
        return ConnectionEnd(f"the proxy is none: {e.msg}")  # its address may have a password
    except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as e:
        return ConnectionEnd(str(e) or type(e).__name__)
    assert isinstance(socket, ChunkedConnection)
    return OpenSocket(socket, terms, batcher, files)


def _refusal(status: int, retry_after: str | None) -> ConnectionEnd:
    usual = LIMITED_WAIT_S if status in LIMITED else REFUSED_WAIT_S if status in REFUSED else 0.0
    wait = min(MAX_WAIT_S, retry_after_seconds(retry_after, usual)) if usual else 0.0
    return ConnectionEnd(f"HTTP {status}", status in REFUSED, wait)

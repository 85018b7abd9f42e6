"""Frames of a websocket, gathered for some ms and handled as one batch.

One batch costs a fifth of handling each of its frames by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

BATCH_SECONDS = 0.05
WAITING_BATCH_SECONDS = 0.002  # ... of a market that waits for what comes of each batch
MAX_BATCH = 4096  # frames


class Socket(Protocol):
    """A websocket, as far as it is read: see ``ChunkedConnection``."""

    take: Callable[[list[bytes]], None] | None

    def recv(self, *, decode: Literal[False]) -> Awaitable[bytes]:
        """Return the next frame; raise if the connection has ended."""


class Pulse:
    """How many frames a socket has brought."""

    frames = 0


class Batcher:
    """Gather frames with the time of their receipt.

    Args:
        handle: takes the frames of a batch and their times of receipt, ns since the Unix epoch.
        failed: is told what ``handle`` raises when no one waits for it.
        seconds: how long frames are gathered.
    """

    def __init__(
        self,
        handle: Callable[[list[bytes], list[int]], None],
        failed: Callable[[BaseException], None],
        seconds: float = BATCH_SECONDS,
    ) -> None:
        self._handle, self._failed, self._seconds = handle, failed, seconds
        self._frames: list[bytes] = []
        self._stamps: list[int] = []
        self._flush_due = False

    async def read(self, socket: Socket, pulse: Pulse) -> None:
        """Gather frames until the socket raises."""

        def take(frames: list[bytes]) -> None:
            pulse.frames += len(frames)
            self._gather(frames)

        socket.take = take
        try:
            while True:
                take([await socket.recv(decode=False)])
        finally:
            socket.take = None

    def _gather(self, frames: list[bytes]) -> None:
        self._frames += frames
        self._stamps += [time.time_ns()] * len(frames)
        if len(self._frames) >= MAX_BATCH:
            self._flush_when_due()
        elif not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(self._seconds, self._flush_when_due)

    def _flush_when_due(self) -> None:
        try:
            self.flush()
        except Exception as e:  # noqa: BLE001  (raised by who runs the feed)
            self._failed(e)

    def flush(self) -> None:
        """Handle the gathered frames now."""
        self._flush_due = False
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        stamps, self._stamps = self._stamps, []
        self._handle(frames, stamps)

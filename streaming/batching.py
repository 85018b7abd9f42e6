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
MAX_BATCH = 2048  # frames


class Socket(Protocol):
    """A websocket, as far as it is read."""

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
        """Gather frames until the socket raises; the loop is the hot path, so it only appends."""
        recv, now = socket.recv, time.time_ns
        loop = asyncio.get_running_loop()
        frames, stamps = self._frames, self._stamps
        while True:
            frame = await recv(decode=False)
            frames.append(frame)
            stamps.append(now())
            pulse.frames += 1
            if not self._flush_due:
                self._flush_due = True
                loop.call_later(self._seconds, self._flush_when_due)
            if len(frames) >= MAX_BATCH:
                self.flush()

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
        frames, stamps = self._frames[:], self._stamps[:]
        self._frames.clear()
        self._stamps.clear()
        self._handle(frames, stamps)

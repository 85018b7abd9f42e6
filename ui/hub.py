"""One look a second, one encoding a symbol, any number of viewers.

Everything here runs on the server's event loop, so that a viewer who joins between two
messages starts from exactly the picture that the next message is the difference to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import orjson

from ui.picture import Picture, changes

logger = logging.getLogger(__name__)

SECONDS = 1.0
# A bar ends with its second: look a little later, and the bar just ended is there.
PHASE = 0.05
BACKLOG = 2


class Viewer:
    """One open websocket's messages; ``None`` ends them."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.queue: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG)

    def clear(self) -> None:
        """Forget what was not sent."""
        while not self.queue.empty():
            self.queue.get_nowait()

    def end(self) -> None:
        """Let no further message come."""
        self.clear()
        self.queue.put_nowait(None)


class Hub:
    """Sends each viewer a first whole picture, then only what changed.

    Args:
        look: returns a symbol's picture now.
        symbols: all that can be looked at; the first is shown first.
    """

    def __init__(self, look: Callable[[str], Picture], symbols: list[str]) -> None:
        self.look, self.symbols = look, symbols
        self.viewers: set[Viewer] = set()
        self._shown: dict[str, Picture] = {}
        self._whole: dict[str, str] = {}  # encoded once for all who join between two messages
        self._closing = False

    def join(self, symbol: str) -> Viewer:
        """Add a viewer of ``symbol`` (of the first one, if there is no such)."""
        viewer = Viewer(symbol if symbol in self.symbols else self.symbols[0])
        if viewer.symbol not in self._shown:
            self._shown[viewer.symbol] = self.look(viewer.symbol)
        viewer.queue.put_nowait(None if self._closing else self._beginning(viewer.symbol))
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer, and end its messages."""
        self.viewers.discard(viewer)
        viewer.end()
        if not any(other.symbol == viewer.symbol for other in self.viewers):
            self._shown.pop(viewer.symbol, None)
            self._whole.pop(viewer.symbol, None)

    def close(self) -> None:
        """End every viewer's messages."""
        self._closing = True
        for viewer in self.viewers:
            viewer.end()

    async def run(self) -> None:
        """Publish once a second until cancelled."""
        while True:
            await asyncio.sleep(SECONDS - (time.time() - PHASE) % SECONDS)
            for symbol in {viewer.symbol for viewer in self.viewers}:
                try:
                    self.publish(symbol)
                except Exception:
                    # The edge of the task: this second's message is lost, the next has all.
                    logger.exception("could not show %s", symbol)

    def publish(self, symbol: str) -> None:
        """Send what changed to all viewers of ``symbol``; at least a sign of life."""
        new = self.look(symbol)
        message = _encode(changes(self._shown[symbol], new))
        self._shown[symbol] = new
        self._whole.pop(symbol, None)
        for viewer in self.viewers:
            if viewer.symbol != symbol:
                continue
            if viewer.queue.full():  # too slow for changes: start again from a whole picture
                viewer.clear()
                viewer.queue.put_nowait(self._beginning(symbol))
            else:
                viewer.queue.put_nowait(message)

    def _beginning(self, symbol: str) -> str:
        if symbol not in self._whole:
            about = {"symbol": symbol, "symbols": self.symbols}
            self._whole[symbol] = _encode(about | changes(None, self._shown[symbol]))
        return self._whole[symbol]


def _encode(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()

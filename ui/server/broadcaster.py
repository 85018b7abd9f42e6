"""One view model a symbol and second, encoded once for any number of subscribers.

Everything here runs on the server's event loop, so that a subscriber who comes between two
messages begins with exactly the view model that the next message is the difference to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import orjson

from ui.views.view_model import ViewModel, changes

logger = logging.getLogger(__name__)

SECONDS = 1.0
# A bar ends with its second: a little later, the bar that just ended is there.
PHASE = 0.05
BACKLOG = 2


class Subscriber:
    """One open websocket's queue of messages; ``None`` ends it."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.queue: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG)

    def clear(self) -> None:
        """Drop the messages that were not sent."""
        while not self.queue.empty():
            self.queue.get_nowait()

    def end(self) -> None:
        """Drop the messages that were not sent, and let no further one come."""
        self.clear()
        self.queue.put_nowait(None)


class Broadcaster:
    """Sends each subscriber a whole view model first, then only what changed.

    Args:
        view_model: returns a symbol's view model as it is now.
        symbols: all symbols; the first one is the default.
    """

    def __init__(self, view_model: Callable[[str], ViewModel], symbols: list[str]) -> None:
        self.view_model, self.symbols = view_model, symbols
        self.subscribers: set[Subscriber] = set()
        self._shown: dict[str, ViewModel] = {}
        self._whole: dict[str, str] = {}  # encoded once for all who come between two messages
        self._closing = False

    def subscribe(self, symbol: str) -> Subscriber:
        """Add a subscriber to ``symbol``, or to the first one if it is unknown."""
        subscriber = Subscriber(symbol if symbol in self.symbols else self.symbols[0])
        if subscriber.symbol not in self._shown:
            self._shown[subscriber.symbol] = self.view_model(subscriber.symbol)
        subscriber.queue.put_nowait(None if self._closing else self._first(subscriber.symbol))
        self.subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, and end its messages."""
        self.subscribers.discard(subscriber)
        subscriber.end()
        if not any(other.symbol == subscriber.symbol for other in self.subscribers):
            self._shown.pop(subscriber.symbol, None)
            self._whole.pop(subscriber.symbol, None)

    def close(self) -> None:
        """End every subscriber's messages."""
        self._closing = True
        for subscriber in self.subscribers:
            subscriber.end()

    async def run(self) -> None:
        """Publish once a second until cancelled."""
        while True:
            await asyncio.sleep(SECONDS - (time.time() - PHASE) % SECONDS)
            for symbol in {subscriber.symbol for subscriber in self.subscribers}:
                try:
                    self.publish(symbol)
                except Exception:
                    # The edge of the task: this second's message is lost, the next has all.
                    logger.exception("could not show %s", symbol)

    def publish(self, symbol: str) -> None:
        """Send what changed to all subscribers of ``symbol``, be it nothing: a heartbeat."""
        new = self.view_model(symbol)
        message = _encode(changes(self._shown[symbol], new))
        self._shown[symbol] = new
        self._whole.pop(symbol, None)
        for subscriber in self.subscribers:
            if subscriber.symbol != symbol:
                continue
            if subscriber.queue.full():  # too slow for changes: begin again with the whole
                subscriber.clear()
                subscriber.queue.put_nowait(self._first(symbol))
            else:
                subscriber.queue.put_nowait(message)

    def _first(self, symbol: str) -> str:
        if symbol not in self._whole:
            about = {"symbol": symbol, "symbols": self.symbols}
            self._whole[symbol] = _encode(about | changes(None, self._shown[symbol]))
        return self._whole[symbol]


def _encode(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()

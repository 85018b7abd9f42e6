"""One view model a symbol and second, encoded once for any number of subscribers.

Everything here runs on the server's event loop, so that a subscriber who comes between two
messages begins with exactly the view model that the next message is the difference to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from ui.chart.candles import LENGTHS
from ui.views.view_model import View, ViewModel, changes

logger = logging.getLogger(__name__)

SECONDS = 1.0
# A bar ends with its second: a little later, the bar that just ended is there.
PHASE = 0.05
BACKLOG = 2


class Topic(NamedTuple):
    """What a subscriber looks at: a symbol, in candles of some seconds, in one of the views."""

    symbol: str
    seconds: int
    view: View = View.MARKET


class Subscriber:
    """One open websocket's queue of messages; ``None`` ends it."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
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
        view_model: returns the view model of a topic, given its fields, as it is now.
        symbols: all symbols; the first one is the default.
    """

    def __init__(
        self, view_model: Callable[[str, int, View], ViewModel], symbols: list[str]
    ) -> None:
        self.view_model, self.symbols = view_model, symbols
        self.subscribers: set[Subscriber] = set()
        self._shown: dict[Topic, ViewModel] = {}
        self._whole: dict[Topic, str] = {}  # encoded once for all who come between two messages
        self._closing = False

    def subscribe(self, symbol: str, seconds: int = 1, view: str = View.MARKET) -> Subscriber:
        """Add a subscriber; what is unknown is the first symbol, a second, or the market's view."""
        topic = Topic(
            symbol if symbol in self.symbols else self.symbols[0],
            seconds if seconds in LENGTHS else LENGTHS[0],
            View(view) if view in list(View) else View.MARKET,
        )
        subscriber = Subscriber(topic)
        if topic not in self._shown:
            self._shown[topic] = self.view_model(*topic)
        subscriber.queue.put_nowait(None if self._closing else self._first(topic))
        self.subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, and end its messages."""
        self.subscribers.discard(subscriber)
        subscriber.end()
        if not any(other.topic == subscriber.topic for other in self.subscribers):
            self._shown.pop(subscriber.topic, None)
            self._whole.pop(subscriber.topic, None)

    def close(self) -> None:
        """End every subscriber's messages."""
        self._closing = True
        for subscriber in self.subscribers:
            subscriber.end()

    async def run(self) -> None:
        """Publish once a second until cancelled."""
        while True:
            await asyncio.sleep(SECONDS - (time.time() - PHASE) % SECONDS)
            for topic in {subscriber.topic for subscriber in self.subscribers}:
                try:
                    self.publish(topic)
                except Exception:
                    # The edge of the task: this second's message is lost, the next has all.
                    logger.exception("could not show %s", topic.symbol)

    def publish(self, topic: Topic) -> None:
        """Send what changed to all subscribers of ``topic``, be it nothing: a heartbeat."""
        new = self.view_model(*topic)
        message = _encode(changes(self._shown[topic], new))
        self._shown[topic] = new
        self._whole.pop(topic, None)
        for subscriber in self.subscribers:
            if subscriber.topic != topic:
                continue
            if subscriber.queue.full():  # too slow for changes: begin again with the whole
                subscriber.clear()
                subscriber.queue.put_nowait(self._first(topic))
            else:
                subscriber.queue.put_nowait(message)

    def _first(self, topic: Topic) -> str:
        if topic not in self._whole:
            about = {**topic._asdict(), "symbols": self.symbols}
            self._whole[topic] = _encode(about | changes(None, self._shown[topic]))
        return self._whole[topic]


def _encode(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()

"""One tail, any number of listeners: programs that want every point of a session.

Poller's thread ─ look ─> Tail ─> lines, encoded once ─> each listener's queue
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator

import orjson

from trainers.tracking.reader import RunRecord
from ui.metrics import Metrics
from ui.points.tail import Line, Steps, Tail, runs_of
from ui.poller import Poller

BACKLOG = 100  # looks that a listener may be behind
WINDOW = 500  # cycles read at a time, of what was before


class Listener:
    """One program; ``None`` in its queue means that it was too slow.

    Args:
        steps: how far every metric had been sent when it came.
    """

    def __init__(self, steps: Steps) -> None:
        self.queue: asyncio.Queue[list[str] | None] = asyncio.Queue(BACKLOG)
        self.steps = steps
        self._loop = asyncio.get_running_loop()

    def put(self, lines: list[str]) -> None:
        """Queue lines, from any thread."""
        self._loop.call_soon_threadsafe(self._put, lines)

    def _put(self, lines: list[str]) -> None:
        if not self.queue.full():
            self.queue.put_nowait(lines)
            return
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Points:
    """The points of one session.

    Args:
        poller: of its metrics.

    Attributes:
        begun: whether there was a look at MLflow.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller, self._lock = poller, threading.Lock()
        history = poller.reader.history
        self._tail = Tail(poller.session, lambda run, key, last: history(run, key, after=last))
        self._steps: Steps = {}
        self._listeners: set[Listener] = set()
        self.begun = False

    @property
    def metrics(self) -> Metrics:
        """What MLflow held at the last look."""
        return self._poller.metrics

    def __len__(self) -> int:
        return len(self._listeners)

    def look(self) -> None:
        """Send what is new; in the poller's thread."""
        lines = self._tail.look(self.metrics)
        with self._lock:  # who joins has either these lines in its queue or in its steps
            self._steps, self.begun = self._tail.steps, self._tail.begun
            encoded = [encode(line) for line in lines] if self._listeners else []
            for listener in self._listeners if encoded else ():
                listener.put(encoded)

    def join(self) -> Listener:
        """Add a listener; it gets what is new from here on."""
        with self._lock:
            listener = Listener(self._steps)
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._listeners.discard(listener)

    def statuses(self) -> list[str]:
        """Return every run's status now."""
        return [encode(line) for line in self._tail.statuses(self.metrics)]

    async def before(self, listener: Listener, since: int) -> AsyncIterator[list[str]]:
        """Yield the points of cycles past ``since`` that were sent before ``listener`` came.

        Raises:
            TrackingAwayError: if MLflow does not answer.
        """
        last = max(listener.steps.values(), default=since)
        for start in range(since, last, WINDOW):
            lines: list[Line] = []
            for run in runs_of(self.metrics):  # a question a run: others are answered in between
                read = functools.partial(self._window, run, listener.steps, start)
                lines += await asyncio.wrap_future(self._poller.ask(read))
            yield [encode(line) for line in sorted(lines, key=lambda line: line["cycle"])]

    def _window(self, run: RunRecord, steps: Steps, start: int) -> list[Line]:
        found = []
        for key in run.steps:
            until = min(steps.get((run.run_id, key), -1), start + WINDOW)
            if until > start:
                read = self._poller.reader.history
                values = read(run.run_id, key, after=start, until=until, most=WINDOW)
                found += [self._tail.point(run, cycle, key, v) for cycle, v in values.items()]
        return found


def encode(line: Line) -> str:
    """Return a line as JSON."""
    return orjson.dumps(line).decode()

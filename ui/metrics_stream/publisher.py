"""Sends every value and status of a session to any number of programs.

Poller's thread ─ publish ─> MetricTail ─> lines, encoded once ─> each listener's queue
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator

import orjson

from trainers.tracking.reader import RunRecord
from ui.metrics_stream.metric_tail import Line, MetricTail, Steps, runs_of
from ui.mlflow.poller import Poller
from ui.mlflow.session_metrics import SessionMetrics

BACKLOG = 100  # polls that a listener may be behind
WINDOW = 500  # cycles of the past that are read at a time


class Listener:
    """The queue of one program; ``None`` in it means that the program was too slow.

    Args:
        steps: the cycle up to which every metric had been sent when it came.
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


class MetricsPublisher:
    """Publishes the metrics of one session.

    Args:
        poller: the poller of its metrics.

    Attributes:
        begun: whether MLflow has been read.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller, self._lock = poller, threading.Lock()
        history = poller.reader.history
        self._tail = MetricTail(
            poller.session, lambda run, key, last: history(run, key, after=last)
        )
        self._steps: Steps = {}
        self._listeners: set[Listener] = set()
        self._idle = True  # whether nobody listened when it was time to publish
        self.begun = False

    @property
    def metrics(self) -> SessionMetrics:
        """What MLflow held when it was last read."""
        return self._poller.metrics

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self) -> None:
        """Send what is new; in the poller's thread. While nobody listens, nothing is looked up."""
        with self._lock:
            self.begun = self.metrics.read_at is not None
            self._idle = not self._listeners
            if self._idle:
                return
        lines = self._tail.update(self.metrics)
        with self._lock:  # a new listener has these lines either in its queue or in its steps
            self._steps = self._tail.steps
            encoded = [encode(line) for line in lines]
            for listener in self._listeners if encoded else ():
                listener.put(encoded)

    def subscribe(self) -> Listener:
        """Add a listener; it gets everything that is new after this."""
        with self._lock:
            if self._idle:
                self._tail.skip(self.metrics)
                self._steps, self._idle = self._tail.steps, False
            listener = Listener(self._steps)
            self._listeners.add(listener)
        return listener

    def unsubscribe(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._listeners.discard(listener)

    def statuses(self) -> list[str]:
        """Return a line with every run's status."""
        return [encode(line) for line in self._tail.statuses(self.metrics)]

    async def history(self, listener: Listener, since: int) -> AsyncIterator[list[str]]:
        """Yield the values of cycles after ``since`` that were sent before ``listener`` came.

        Raises:
            TrackingAwayError: if MLflow does not answer.
        """
        last = max(listener.steps.values(), default=since)
        for start in range(since, last, WINDOW):
            lines: list[Line] = []
            for run in runs_of(self.metrics):  # a query a run, so that others run in between
                read = functools.partial(self._window, run, listener.steps, start)
                lines += await asyncio.wrap_future(self._poller.submit(read))
            yield [encode(line) for line in sorted(lines, key=lambda line: line["cycle"])]

    def _window(self, run: RunRecord, steps: Steps, start: int) -> list[Line]:
        lines = []
        for key in run.steps:
            until = min(steps.get((run.run_id, key), -1), start + WINDOW)
            if until > start:
                read = self._poller.reader.history
                values = read(run.run_id, key, after=start, until=until, most=WINDOW)
                lines += [self._tail.value_line(run, cycle, key, v) for cycle, v in values.items()]
        return lines


def encode(line: Line) -> str:
    """Return a line as JSON."""
    return orjson.dumps(line).decode()

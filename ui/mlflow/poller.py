"""The one thread that reads MLflow, for all viewers.

It reads every two seconds, and runs their queries in between.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from trainers.tracking.reader import SessionReader, TrackingAwayError
from ui.mlflow.metrics_reader import POLL_SECONDS, MetricsReader
from ui.mlflow.session_metrics import SessionMetrics

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Poller:
    """Keeps ``metrics`` fresh from a daemon thread.

    Args:
        reader: the reader of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self.metrics = SessionMetrics()
        self._source = MetricsReader(reader, session)
        self._callbacks: list[Callable[[], None]] = []
        self._queries: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def look_at(self, symbol: str) -> None:
        """Read a market's histories and score its ledger, for as long as it is looked at."""
        self._source.look_at(symbol)

    @property
    def looked_at(self) -> list[str]:
        """The markets that somebody looks at."""
        return self._source.looked_at()

    def after_each_poll(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the thread after every poll, whether MLflow answered or not."""
        self._callbacks.append(callback)

    def start(self) -> None:
        """Poll now and every ``POLL_SECONDS``, in a thread of its own."""
        threading.Thread(target=self._run, name="mlflow-poller", daemon=True).start()

    def submit(self, query: Callable[[], Result]) -> Future[Result]:
        """Run a query to MLflow in the thread; return its result to come."""
        result: Future[Result] = Future()

        def run() -> None:
            if not result.set_running_or_notify_cancel():
                return  # nobody waits for it any more
            try:
                result.set_result(query())
            except Exception as e:  # noqa: BLE001  (whatever it is, the caller handles it)
                result.set_exception(e)

        self._queries.put(run)
        return result

    def wake(self) -> None:
        """Poll soon."""
        self._queries.put(lambda: None)

    def poll(self) -> None:
        """Read everything once.

        Raises:
            TrackingAwayError: if MLflow does not answer; ``metrics`` is unchanged.
        """
        self.metrics = self._source.read()

    def _run(self) -> None:
        away = False
        while True:
            error = _error_of(self.poll)
            if error and not away:
                logger.warning("showing old metrics: %s", error)
            away = error is not None
            for callback in self._callbacks:
                _error_of(callback)
            self._run_queries()

    def _run_queries(self) -> None:
        """Run queries until the next poll, which follows a query at once: its effect may show."""
        with contextlib.suppress(queue.Empty):
            self._queries.get(timeout=POLL_SECONDS)()
            while True:
                self._queries.get_nowait()()


def _error_of(work: Callable[[], Any]) -> TrackingAwayError | None:
    try:
        work()
    except TrackingAwayError as e:
        return e
    except Exception:
        # The edge of the thread: one poll is lost, the page shows the metrics' age.
        logger.exception("could not read the metrics")
    return None

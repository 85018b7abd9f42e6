"""The one thread that talks to MLflow, for all viewers.

It looks every two seconds, and answers what they ask for in between.
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
from ui.metrics import Metrics
from ui.metrics_reader import MetricsReader

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
Answer = TypeVar("Answer")


class Poller:
    """Keeps ``metrics`` fresh from a daemon thread.

    Args:
        reader: of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self.metrics = Metrics()
        self._source = MetricsReader(reader, session)
        self._after: list[Callable[[], None]] = []
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def after_each_look(self, work: Callable[[], None]) -> None:
        """Have ``work`` done in the thread after every look, whether MLflow answered or not."""
        self._after.append(work)

    def start(self) -> None:
        """Look now and every ``POLL_SECONDS`` from a thread of its own."""
        threading.Thread(target=self._run, name="mlflow-poller", daemon=True).start()

    def ask(self, question: Callable[[], Answer]) -> Future[Answer]:
        """Have a question to MLflow answered by the thread."""
        answer: Future[Answer] = Future()

        def find() -> None:
            if not answer.set_running_or_notify_cancel():
                return  # who asked has left
            try:
                answer.set_result(question())
            except Exception as e:  # noqa: BLE001  (whatever it is, it is theirs who asked)
                answer.set_exception(e)

        self._asked.put(find)
        return answer

    def look(self) -> None:
        """Read everything once.

        Raises:
            TrackingAwayError: if MLflow does not answer; ``metrics`` is unchanged.
        """
        self.metrics = self._source.read()

    def _run(self) -> None:
        away = False
        while True:
            error = _tried(self.look)
            if error and not away:
                logger.warning("showing old metrics: %s", error)
            away = error is not None
            for work in self._after:
                _tried(work)
            self._answer()

    def _answer(self) -> None:
        """Answer what is asked until the next look; at once after an answer, since it may show."""
        with contextlib.suppress(queue.Empty):
            self._asked.get(timeout=POLL_SECONDS)()
            while True:
                self._asked.get_nowait()()


def _tried(work: Callable[[], Any]) -> TrackingAwayError | None:
    try:
        work()
    except TrackingAwayError as e:
        return e
    except Exception:
        # The edge of the thread: one look is lost, the page shows the metrics' age.
        logger.exception("could not read the metrics")
    return None

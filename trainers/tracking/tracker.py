"""The trainer's only way to MLflow while it trains: one background thread.

    trainer -> queue -> thread -> one log_batch a run and cycle
    trainer <- controls <- thread: looks once a second for tags control/<name>

Training never waits for the store. While it is away, what was logged stays in the queue, in
order, and is delivered when it is back.
"""

from __future__ import annotations

import collections
import json
import logging
import queue
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

CONTROL = "control/"
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
EVENTS_KEPT = 20
TAG_CHARS = 7500  # MLflow cuts tags at 8000

# What another try cannot cure: a bad name or value, a deleted run.
REFUSED = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST")


class _Batch(NamedTuple):
    run_id: str
    metrics: list[Metric]
    tags: list[RunTag]


class Tracker:
    """Logs for one session.

    Args:
        client: of the store.
        session: the session's run id.
    """

    def __init__(self, client: MlflowClient, session: str) -> None:
        self.client, self.session = client, session
        self.controls: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.write_seconds = 0.0  # spent in writing to the store
        self.refused = 0  # batches the store will never take
        self._queue: collections.deque[_Batch] = collections.deque()
        self._events: collections.deque[dict[str, object]] = collections.deque(maxlen=EVENTS_KEPT)
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="tracker", daemon=True)
        self._thread.start()

    def log(
        self,
        run_id: str,
        step: int,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Queue metrics and tags of one run at ``step``."""
        now = time.time_ns() // 1_000_000
        self._queue.append(
            _Batch(
                run_id,
                [Metric(name, value, now, step) for name, value in (metrics or {}).items()],
                [RunTag(name, value) for name, value in (tags or {}).items()],
            )
        )
        self._wake.set()

    def event(self, text: str, ts: float | None = None) -> None:
        """Add to the session's last events; ``ts`` is Unix seconds, now by default."""
        self._events.append({"ts": time.time() if ts is None else ts, "text": text})
        events = list(self._events)
        while len(text := json.dumps(events)) > TAG_CHARS:
            events.pop(0)
        self.log(self.session, 0, tags={"events": text})

    def close(self, timeout: float) -> bool:
        """Deliver what is queued, for at most ``timeout`` seconds; tell whether all was."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._queue

    def _run(self) -> None:
        looked = 0.0
        while not (self._closing and not self._queue):
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            try:
                self._deliver()
                if time.monotonic() - looked >= POLL_SECONDS and not self._closing:
                    looked = time.monotonic()
                    self._look_for_controls()
            except (MlflowException, SQLAlchemyError) as e:
                log.warning("the MLflow store does not answer, will try again: %s", e)
                time.sleep(RETRY_SECONDS)

    def _deliver(self) -> None:
        while self._queue:
            batch = self._queue[0]
            started = time.perf_counter()
            try:
                self.client.log_batch(batch.run_id, metrics=batch.metrics, tags=batch.tags)
            except MlflowException as e:
                if e.error_code not in REFUSED:
                    raise
                self.refused += 1
                log.error("the MLflow store refused a batch of run %s: %s", batch.run_id, e)
            self.write_seconds += time.perf_counter() - started
            self._queue.popleft()

    def _look_for_controls(self) -> None:
        tags = self.client.get_run(self.session).data.tags
        for name, value in tags.items():
            if name.startswith(CONTROL):
                self.client.delete_tag(self.session, name)
                self.controls.put((name.removeprefix(CONTROL), value))

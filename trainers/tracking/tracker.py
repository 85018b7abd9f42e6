"""The trainer's only way to MLflow while it trains: one background thread.

    trainer -> outbox -> thread -> one log_batch a run and cycle
    trainer <- controls <- thread: looks once a second for tags control/<name>

Training never waits for the store. While it is away, what was logged stays in the outbox, in
order, and is delivered when it is back.
"""

from __future__ import annotations

import collections
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from streaming.errors import StreamingError
from trainers.recording.outbox import Batch, Outbox

log = logging.getLogger(__name__)

CONTROL = "control/"
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
EVENTS_KEPT = 20
TAG_CHARS = 7500  # MLflow cuts tags at 8000

# What another try cannot cure: a bad name or value, a deleted run.
REFUSED = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST")


class Tracker:
    """Logs for one session.

    Args:
        client: of the store.
        session: the session's run id.
        outbox: file of what is not delivered yet; None keeps that in memory alone.
        chores: work on the store that may wait for it, done once a second until it answers.
        tell: takes what somebody should know; called by the tracker's thread.

    Attributes:
        controls: what was asked for, by name and value; each until ``answer`` clears it.
    """

    def __init__(
        self,
        client: MlflowClient,
        session: str,
        outbox: Path | None = None,
        chores: Callable[[], None] = lambda: None,
        tell: Callable[[str], object] = log.warning,
    ) -> None:
        self.client, self.session = client, session
        self.controls: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.write_seconds = 0.0  # spent in writing to the store
        self.refused = 0  # batches the store will never take
        self.events: collections.deque[dict[str, object]] = collections.deque(maxlen=EVENTS_KEPT)
        self._outbox = Outbox(outbox)
        self._chores, self._tell = chores, tell
        self._away_since: float | None = None  # monotonic
        self._errands: collections.deque[Callable[[], object]] = collections.deque()
        self._asked: set[tuple[str, str]] = set()  # controls taken and not answered yet
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
        wall_ms: int | None = None,
    ) -> None:
        """Queue metrics and tags of one run at ``step``; ``wall_ms`` is now by default."""
        now = time.time_ns() // 1_000_000 if wall_ms is None else wall_ms
        self._put(Batch(run_id, step, now, dict(metrics or {}), dict(tags or {}), {}))

    def event(self, text: str, ts: float | None = None) -> None:
        """Add to the session's last events; ``ts`` is Unix seconds, now by default."""
        self.events.append({"ts": time.time() if ts is None else ts, "text": text})
        events = list(self.events)
        while len(text := json.dumps(events)) > TAG_CHARS:
            events.pop(0)
        self.log(self.session, 0, tags={"events": text})

    def answer(self, control: tuple[str, str], tags: Mapping[str, str]) -> None:
        """Say what became of a control, and clear it."""
        name, value = control
        self._put(Batch(self.session, 0, 0, {}, dict(tags), {CONTROL + name: value}))

    def errand(self, work: Callable[[], object]) -> None:
        """Have something done with the store by the tracker's thread, as soon as it answers."""
        self._errands.append(work)
        self._wake.set()

    def _put(self, batch: Batch) -> None:
        self._outbox.put(batch)
        self._wake.set()

    @property
    def behind(self) -> int:
        """Batches that the store has not taken yet."""
        return len(self._outbox)

    def close(self, timeout: float) -> bool:
        """Deliver what is queued, for at most ``timeout`` seconds; tell whether all was."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        done = not self._outbox
        if not self._thread.is_alive():
            self._outbox.close()
        return done

    def _run(self) -> None:
        looked = 0.0
        while not (self._closing and not self._outbox):
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            try:
                self._deliver()
                self._run_errands()
                if time.monotonic() - looked >= POLL_SECONDS and not self._closing:
                    looked = time.monotonic()
                    self._look_for_controls()
                    self._chores()
                    self._is_there()
            except (MlflowException, SQLAlchemyError, OSError) as e:
                self._is_away(e)
                time.sleep(RETRY_SECONDS)
            except Exception:  # a chore's fault must not end the delivery of metrics
                log.exception("work on the MLflow store failed")
                time.sleep(RETRY_SECONDS)

    def _is_away(self, why: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            reason = str(why).splitlines()[0]
            self._tell(
                "the MLflow store does not answer; training goes on, what is to be logged is kept"
                f" until it does ({reason})"
            )

    def _is_there(self) -> None:
        if self._away_since is not None:
            seconds, self._away_since = time.monotonic() - self._away_since, None
            self._tell(f"the MLflow store answers again after {seconds:.0f} s, and lacks nothing")

    def _deliver(self) -> None:
        while (batch := self._outbox.first()) is not None:
            started = time.perf_counter()
            self.refused += not deliver(self.client, batch)
            self.write_seconds += time.perf_counter() - started
            self._outbox.delivered()
            for name, value in batch.clears.items():
                self._asked.discard((name.removeprefix(CONTROL), value))

    def _run_errands(self) -> None:
        while self._errands:
            try:
                self._errands[0]()
            except StreamingError as e:
                log.warning("%s", e)
            self._errands.popleft()

    def _look_for_controls(self) -> None:
        for name, value in self.client.get_run(self.session).data.tags.items():
            control = (name.removeprefix(CONTROL), value)
            if name.startswith(CONTROL) and control not in self._asked:
                self._asked.add(control)
                self.controls.put(control)


def deliver(client: MlflowClient, batch: Batch) -> bool:
    """Write a batch to the store; tell whether it will ever take it.

    Raises:
        MlflowException: if the store does not answer.
    """
    try:
        _deliver(client, batch)
    except MlflowException as e:
        if e.error_code not in REFUSED:
            raise
        log.error("the MLflow store refused a batch of run %s: %s", batch.run, e)
        return False
    return True


def _deliver(client: MlflowClient, batch: Batch) -> None:
    metrics = [
        Metric(name, value, batch.wall_ms, batch.step) for name, value in batch.metrics.items()
    ]
    tags = [RunTag(name, value) for name, value in batch.tags.items()]
    if metrics or tags:
        client.log_batch(batch.run, metrics=metrics, tags=tags)
    if batch.clears:
        there = client.get_run(batch.run).data.tags
        for name, value in batch.clears.items():
            if there.get(name) == value:  # else it was asked for anew meanwhile
                client.delete_tag(batch.run, name)

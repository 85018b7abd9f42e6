"""Logs to MLflow in a background thread, so that training never waits for the store.

    RunWriter -> outbox -> thread -> one log_batch per run and cycle

While the store is away, batches stay in the outboxes, in order; they are delivered when it is back.
Each market has an outbox of its own, which the next process that trains the market takes over.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from streaming.errors import TickloopError, reason_of
from streaming.events import Code
from trainers.tracking.outbox import Batch, Outbox
from trainers.tracking.stores.client import MlflowClient, MlflowException
from trainers.tracking.stores.delivery import deliver
from trainers.tracking.stores.refusals import is_refusal

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
MOST_HELD_SECONDS = 1.0  # a batch is delivered then, whatever is being forecast
RETRY_SECONDS = 1.0

# With more outboxes than a few, a cycle's batches are gathered: half as many requests.
FEW_OUTBOXES = 5
GATHER_SECONDS = 0.5

MOST_TOLD = 1000  # refused names; a learner may make up new ones for ever


class RunWriter:
    """Logs metrics and tags of runs through one outbox.

    Args:
        outbox: the outbox of a market or of the session.
        wake: wakes the thread that delivers; called after each batch.
    """

    def __init__(self, outbox: Outbox, wake: Callable[[], None]) -> None:
        self._outbox, self._wake = outbox, wake
        self._told: dict[tuple[str, str], str] = {}  # tags by run and name

    def log(
        self,
        run_id: str,
        step: int,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        wall_ms: int | None = None,
        clears: Mapping[str, str] | None = None,
    ) -> None:
        """Queue metrics and tags of one run; tags that are as they were are left out.

        Args:
            run_id: the run.
            step: the step of all the metrics.
            metrics: the metrics' values by name.
            tags: the tags' values by name.
            wall_ms: the metrics' timestamp, ms since the Unix epoch; now by default.
            clears: tags to remove, by name, each only if it still has the value given here.
        """
        new = {
            name: value
            for name, value in (tags or {}).items()
            if self._told.get((run_id, name)) != value
        }
        if not (metrics or new or clears):
            return
        self._told |= {(run_id, name): value for name, value in new.items()}
        now = time.time_ns() // 1_000_000 if wall_ms is None else wall_ms
        batch = Batch(run_id, step, now, dict(metrics or {}), new, dict(clears or {}))
        self._outbox.put(batch)
        self._wake()

    def clearing(self) -> set[tuple[str, str]]:
        """Return the names and values of all tags that queued batches will remove."""
        return self._outbox.clearing()


class Tracker:
    """Delivers the batches of a process's run writers to the MLflow store, in a thread.

    Args:
        client: the MLflow store's client.
        tell: reports an event, given its code and a text; called by the tracker's thread.
        first: called in the thread each time before something is written to the store; what it
            raises keeps that from being written.

    Attributes:
        client: the MLflow store's client.
        write_seconds: the time spent writing to the store so far.
        refused: the metrics and tags that the store has refused for good, by run and name.
    """

    def __init__(
        self,
        client: MlflowClient,
        tell: Callable[[Code, str], object] = lambda _, text: log.warning("%s", text),
        first: Callable[[], object] | None = None,
    ) -> None:
        self.client, self._first = client, first
        self.write_seconds = 0.0
        self.refused: set[tuple[str, str]] = set()
        self._tell = tell
        self._outboxes: list[Outbox] = []
        self._each_second: list[Callable[[], object]] = []
        self._tasks: collections.deque[Callable[[], object]] = collections.deque()
        self._away_since: float | None = None  # monotonic seconds; None while the store answers
        self._wake, self._closed = threading.Event(), threading.Event()
        self._may_write = threading.Event()
        self._may_write.set()
        self._thread = threading.Thread(target=self._run, name="tracker", daemon=True)
        self._thread.start()

    def writer(self, path: Path | None = None) -> RunWriter:
        """Return a writer with an outbox of its own.

        Args:
            path: the outbox's file; None keeps undelivered batches in memory only.
        """
        outbox = Outbox(path)
        self._outboxes.append(outbox)
        self._wake.set()
        return RunWriter(outbox, self._wake.set)

    def each_second(self, work: Callable[[], object]) -> None:
        """Call ``work`` in the thread about once a second, while the store answers."""
        self._each_second.append(work)

    def task(self, work: Callable[[], object]) -> None:
        """Call ``work`` in the thread once, as soon as the store answers."""
        self._tasks.append(work)
        self._wake.set()

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Begin no delivery within the ``with``, for a second at most.

        Two threads share Python's lock: each call of torch gives it away, and a delivery then keeps
        it for 5 ms.
        """
        self._may_write.clear()
        try:
            yield
        finally:
            self._may_write.set()

    @property
    def behind(self) -> int:
        """The number of batches that the store has not taken yet."""
        return sum(len(outbox) for outbox in self._outboxes)

    @property
    def _closing(self) -> bool:
        return self._closed.is_set()

    @property
    def _is_done(self) -> bool:
        return self.behind == 0 and not self._tasks

    def close(self, timeout: float) -> bool:
        """Deliver queued batches for at most ``timeout`` s; return whether none is left."""
        self._closed.set()
        self._wake.set()
        self._thread.join(timeout)
        done = self._is_done
        if not self._thread.is_alive():
            for outbox in self._outboxes:
                outbox.close()
        return done

    def _run(self) -> None:
        looked = 0.0
        while not (self._closing and self._is_done):
            self._wake.wait(POLL_SECONDS)
            if len(self._outboxes) > FEW_OUTBOXES:
                self._closed.wait(GATHER_SECONDS)
            self._wake.clear()
            try:
                known = [(outbox, len(outbox)) for outbox in list(self._outboxes)]
                if self._first is not None:
                    self._first()
                self._deliver(known)
                self._do_tasks()
                if time.monotonic() - looked >= POLL_SECONDS and not self._closing:
                    looked = time.monotonic()
                    for work in self._each_second:
                        work()
                    self._is_there()
            except (MlflowException, SQLAlchemyError, OSError) as e:
                self._is_away(e)
                time.sleep(RETRY_SECONDS)
            except Exception:  # an error in other work must not end the delivery of metrics
                log.exception("work on the MLflow store failed")
                time.sleep(RETRY_SECONDS)

    def _is_away(self, why: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._tell(
                Code.STORE_AWAY,
                "the MLflow store does not answer; training goes on, and metrics are kept until it"
                f" does ({reason_of(why)})",
            )

    def _is_there(self) -> None:
        if self._away_since is not None:
            seconds, self._away_since = time.monotonic() - self._away_since, None
            text = f"the MLflow store answers again after {seconds:.0f} s, and lacks nothing"
            self._tell(Code.STORE_BACK, text)

    def _deliver(self, known: Sequence[tuple[Outbox, int]]) -> None:
        """Deliver the batches that were there before ``first``: it knows nothing of later ones."""
        for outbox, n in known:
            while batches := outbox.next(n):
                n -= len(batches)
                self._may_write.wait(MOST_HELD_SECONDS)
                started = time.perf_counter()
                refused = deliver(self.client, batches)
                self.write_seconds += time.perf_counter() - started
                outbox.delivered(batches)
                self._tell_refused(batches[0].run, refused)

    def _tell_refused(self, run: str, refused: Mapping[str, str]) -> None:
        """Tell, once, of metrics and tags that the store has refused."""
        new = {name: why for name, why in refused.items() if (run, name) not in self.refused}
        if not new or len(self.refused) >= MOST_TOLD:
            return
        self.refused |= {(run, name) for name in new}
        name, why = next(iter(new.items()))
        more = f" and {len(new) - 1:,} more" if len(new) > 1 else ""
        text = f"the MLflow store refuses {name}{more} of run {run[:8]}, the rest is logged ({why})"
        self._tell(Code.METRIC_REFUSED, text)

    def _do_tasks(self) -> None:
        while self._tasks:
            try:
                self._tasks[0]()
            except (MlflowException, SQLAlchemyError, OSError) as e:
                if not is_refusal(e):
                    raise  # the store is away: the task is tried again
                log.error("the MLflow store refused a task: %s", e)
            except Exception as e:  # one task's error must not keep the others from being done
                log.error("%s", e, exc_info=not isinstance(e, TickloopError))
            self._tasks.popleft()

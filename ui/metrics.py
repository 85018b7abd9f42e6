"""The page's copy of what MLflow holds, refreshed by one thread for all viewers.

    SessionReader -> Poller (every 2 s) -> Metrics (a frozen picture) -> views, API

If MLflow is away, the last picture stays, and its age tells how old it is.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from trainers.tracking.reader import RunRecord, SessionReader, TrackingAwayError

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
CHARTED = {"cnn": "live/accuracy", "dqn": "live/win_rate"}
CYCLES_KEPT = 1000

Cycles = dict[int, tuple[float | None, float | None]]  # cycle -> accuracy, win rate


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened, at ``ts`` unix seconds."""

    ts: float
    text: str


@dataclasses.dataclass(frozen=True)
class Metrics:
    """What MLflow held at ``read_at`` (seconds of the monotonic clock; None: never read)."""

    read_at: float | None = None
    session: RunRecord | None = None
    learners: dict[str, dict[str, RunRecord]] = dataclasses.field(default_factory=dict)
    cycles: dict[str, Cycles] = dataclasses.field(default_factory=dict)

    @property
    def age(self) -> float | None:
        """Seconds since this was read, None if it never was."""
        return None if self.read_at is None else time.monotonic() - self.read_at

    @property
    def cycle(self) -> int | None:
        """The newest cycle that logged a metric."""
        runs = [run for of_symbol in self.learners.values() for run in of_symbol.values()]
        known = [run.cycle for run in (self.session, *runs) if run and run.cycle is not None]
        return max(known, default=None)

    @property
    def events(self) -> list[Event]:
        """The session's last events, oldest first; what is not an event is left out."""
        return _events(self.session.tags.get("events", "[]")) if self.session else []


class Poller:
    """Keeps ``metrics`` fresh from a daemon thread.

    Args:
        reader: of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self.metrics = Metrics()
        self._history: dict[tuple[str, str], dict[int, float]] = {}
        self._after: list[Callable[[], None]] = []

    def after_each_look(self, work: Callable[[], None]) -> None:
        """Have ``work`` done in the thread after every look, whether MLflow answered or not."""
        self._after.append(work)

    def start(self) -> None:
        """Look now and every ``POLL_SECONDS`` from a thread of its own."""
        threading.Thread(target=self._run, name="mlflow-poller", daemon=True).start()

    def _run(self) -> None:
        away = False
        while True:
            error = _tried(self.look)
            if error and not away:
                logger.warning("showing old metrics: %s", error)
            away = error is not None
            for work in self._after:
                _tried(work)
            time.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Read everything once.

        Raises:
            TrackingAwayError: if MLflow does not answer; ``metrics`` is unchanged.
        """
        session = self.reader.session_run(self.session)
        learners: dict[str, dict[str, RunRecord]] = {}
        for run in self.reader.learner_runs(self.session):
            symbol, learner = run.name
            learners.setdefault(symbol, {})[learner] = run
        cycles = {symbol: self._cycles(runs) for symbol, runs in learners.items()}
        self.metrics = Metrics(time.monotonic(), session, learners, cycles)

    def _cycles(self, runs: dict[str, RunRecord]) -> Cycles:
        """Accuracy and win rate by cycle; reads only what is new."""
        accuracy, win_rate = (
            self._series(runs[learner], key) if learner in runs else {}
            for learner, key in CHARTED.items()
        )
        known = sorted({*accuracy, *win_rate})[-CYCLES_KEPT:]
        return {cycle: (accuracy.get(cycle), win_rate.get(cycle)) for cycle in known}

    def _series(self, run: RunRecord, key: str) -> dict[int, float]:
        series = self._history.setdefault((run.run_id, key), {})
        last = max(series, default=-1)
        if run.cycle is not None and run.cycle > last and key in run.metrics:
            series |= self.reader.history(run.run_id, key, after=last)
        return series


def _tried(work: Callable[[], Any]) -> TrackingAwayError | None:
    try:
        work()
    except TrackingAwayError as e:
        return e
    except Exception:
        # The edge of the thread: one look is lost, the page shows the metrics' age.
        logger.exception("could not read the metrics")
    return None


def _events(text: str) -> list[Event]:
    try:
        found: Any = json.loads(text)
        events = [Event(float(event["ts"]), str(event["text"])) for event in found]
    except (ValueError, TypeError, KeyError):
        return []
    return [event for event in events if math.isfinite(event.ts)]

"""The page's copy of what MLflow holds.

    SessionReader -> Poller's thread -> Metrics (a frozen picture) -> everything that is shown

If MLflow is away, the last picture stays, and its age tells how old it is.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterable
from typing import Any

from trainers.tracking.reader import RunRecord, SessionReader

Runs = dict[str, dict[str, RunRecord]]  # symbol -> learner -> its run
Rows = dict[Any, list[Any]]  # by key, see ui.picture

CHARTED = {"cnn": "live/accuracy", "dqn": "live/win_rate"}
NO_RIVAL = "canary"  # a baseline that is not there to be beaten
CYCLES_KEPT = 1000


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened, at ``ts`` unix seconds."""

    ts: float
    text: str


@dataclasses.dataclass(frozen=True)
class ByCycle:
    """One symbol's metrics over cycles, as rows of the page's charts.

    Attributes:
        scores: ``[cycle, CNN's accuracy, DQN's win rate, best baseline's accuracy]``.
        edges: ``[learner, cycle, edge, half-width or None]``.
        bets: ``[learner, cycle, log E, its threshold or None]``.
    """

    scores: Rows
    edges: Rows
    bets: Rows


@dataclasses.dataclass(frozen=True)
class Metrics:
    """What MLflow held at ``read_at`` (seconds of the monotonic clock; None: never read)."""

    read_at: float | None = None
    session: RunRecord | None = None
    learners: Runs = dataclasses.field(default_factory=dict)
    champions: Runs = dataclasses.field(default_factory=dict)
    baselines: Runs = dataclasses.field(default_factory=dict)
    cycles: dict[str, ByCycle] = dataclasses.field(default_factory=dict)

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

    def runs(self, symbol: str) -> dict[str, RunRecord]:
        """Return all runs of a symbol by learner: learners, champions, baselines."""
        kinds = (self.learners, self.champions, self.baselines)
        return {name: run for kind in kinds for name, run in kind.get(symbol, {}).items()}


class MetricsReader:
    """Reads a session's metrics; of histories only what is new.

    Args:
        reader: of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self._history: dict[tuple[str, str], dict[int, float]] = {}
        self._read: dict[tuple[str, str], int | None] = {}  # up to which cycle of the run

    def read(self) -> Metrics:
        """Read everything once.

        Raises:
            TrackingAwayError: if MLflow does not answer.
        """
        session = self.reader.session_run(self.session)
        kinds: dict[str, Runs] = {"learner": {}, "champion": {}, "baseline": {}}
        for run in self.reader.learner_runs(self.session):
            symbol, learner = run.name
            if (kind := run.tags.get("kind", "")) in kinds:
                kinds[kind].setdefault(symbol, {})[learner] = run
        learners, champions, baselines = kinds.values()
        cycles = {
            symbol: self._by_cycle(
                runs | champions.get(symbol, {}), runs, baselines.get(symbol, {})
            )
            for symbol, runs in learners.items()
        }
        return Metrics(time.monotonic(), session, learners, champions, baselines, cycles)

    def _by_cycle(
        self,
        scored: dict[str, RunRecord],
        learners: dict[str, RunRecord],
        baselines: dict[str, RunRecord],
    ) -> ByCycle:
        accuracy, win_rate = (
            self._series(learners[learner], key) if learner in learners else {}
            for learner, key in CHARTED.items()
        )
        rivals = [run for name, run in baselines.items() if name != NO_RIVAL]
        best = _best([self._series(run, CHARTED["cnn"]) for run in rivals])
        known = sorted({*accuracy, *win_rate})[-CYCLES_KEPT:]
        scores = {c: [c, accuracy.get(c), win_rate.get(c), best.get(c)] for c in known}
        return ByCycle(
            {cycle: [_short(value) for value in row] for cycle, row in scores.items()},
            self._pairs(scored, "live/edge", "live/edge_ci"),
            self._pairs(learners, "promotion/log_e", "promotion/log_threshold"),
        )

    def _pairs(self, runs: dict[str, RunRecord], key: str, beside: str) -> Rows:
        """Return rows of one metric, and another of the same cycle beside it."""
        rows: Rows = {}
        for name, run in runs.items():
            values, others = self._series(run, key), self._series(run, beside)
            for cycle in sorted(values)[-CYCLES_KEPT:]:
                pair = [_short(values[cycle]), _short(others.get(cycle))]
                rows[name, cycle] = [name, cycle, *pair]
        return rows

    def _series(self, run: RunRecord, key: str) -> dict[int, float]:
        of = (run.run_id, key)
        series = self._history.setdefault(of, {})
        if key in run.metrics and run.cycle != self._read.get(of):
            series |= self.reader.history(run.run_id, key, after=max(series, default=-1))
            self._read[of] = run.cycle
        return series


def _best(series: Iterable[dict[int, float]]) -> dict[int, float]:
    """Return the highest value of each cycle."""
    best: dict[int, float] = {}
    for values in series:
        for cycle, value in values.items():
            best[cycle] = max(value, best.get(cycle, -math.inf))
    return best


def _short(value: float | None) -> float | None:
    """Four significant digits: more than a chart can show."""
    return None if value is None else float(f"{value:.4g}") if value % 1 else value


def _events(text: str) -> list[Event]:
    try:
        found: Any = json.loads(text)
        events = [Event(float(event["ts"]), str(event["text"])) for event in found]
    except (ValueError, TypeError, KeyError):
        return []
    return [event for event in events if math.isfinite(event.ts)]

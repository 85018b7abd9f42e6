"""The page's copy of what MLflow holds.

    SessionReader -> MetricsReader -> SessionMetrics (frozen) -> everything that is shown

While MLflow is away, the last one stays, and its age tells how old it is.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any

from trainers.names import Kind, LearnerKind, Tag
from trainers.tracking.reader import RunRecord
from ui.views.view_model import Rows

RUNNING = "RUNNING"  # MLflow's state of a run that has not ended

Runs = dict[str, dict[str, RunRecord]]  # symbol -> learner -> its run


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        ts: Unix seconds.
        code: a ``streaming.events.Code``; empty where an older session logged none.
        text: the event for people, which may be worded anew.
    """

    ts: float
    code: str
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
class SessionMetrics:
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
        runs = [run for by_name in self.learners.values() for run in by_name.values()]
        known = [run.cycle for run in (self.session, *runs) if run and run.cycle is not None]
        return max(known, default=None)

    def cycle_of(self, symbol: str) -> int | None:
        """Return the newest cycle of a market that logged a metric."""
        runs = self.learners.get(symbol, {}).values()
        return max((run.cycle for run in runs if run.cycle is not None), default=None)

    @property
    def events(self) -> list[Event]:
        """The session's newest events, oldest first; none if the tag cannot be read."""
        return _events(self.session.tags.get(Tag.EVENTS, "[]")) if self.session else []

    @property
    def running(self) -> bool:
        """Whether the session is known to run."""
        return self.session is not None and self.session.state == RUNNING

    def runs(self, symbol: str) -> dict[str, RunRecord]:
        """Return all runs of a symbol by learner: learners, champions, baselines."""
        kinds = (self.learners, self.champions, self.baselines)
        return {name: run for kind in kinds for name, run in kind.get(symbol, {}).items()}


def _events(text: str) -> list[Event]:
    try:
        rows: Any = json.loads(text)
        events = [
            Event(float(event["ts"]), str(event.get("code", "")), str(event["text"]))
            for event in rows
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    return [event for event in events if math.isfinite(event.ts)]


def never_served(run: RunRecord | None) -> bool:
    """Return whether a run is that of a champion that there was none of, or there is no run."""
    champion = run is not None and run.tags.get(Tag.KIND) == Kind.CHAMPION
    return run is None or (champion and not run.metrics.get("live/scored"))


def is_agent(run: RunRecord | None) -> bool:
    """Return whether a run is that of a learner that decides actions and gives no probability."""
    return run is not None and run.tags.get(Tag.LEARNER_KIND) == LearnerKind.AGENT

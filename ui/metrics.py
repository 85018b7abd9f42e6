"""The page's copy of what MLflow holds.

    SessionReader -> MetricsReader -> Metrics (a frozen picture) -> everything that is shown

If MLflow is away, the last picture stays, and its age tells how old it is.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any

from trainers.tracking.reader import RunRecord

Runs = dict[str, dict[str, RunRecord]]  # symbol -> learner -> its run
Rows = dict[Any, list[Any]]  # by key, see ui.picture


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


def _events(text: str) -> list[Event]:
    try:
        found: Any = json.loads(text)
        events = [Event(float(event["ts"]), str(event["text"])) for event in found]
    except (ValueError, TypeError, KeyError):
        return []
    return [event for event in events if math.isfinite(event.ts)]

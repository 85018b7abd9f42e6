"""What is the case now, as far as it is known: what rules are held against.

    Metrics, stream counters, champions -> facts_of -> {(symbol, who, what): value}

A fact that is not known is not there: no rule becomes true or untrue by it. So nothing is said of
metrics while MLflow is away, and nothing at all once the session has ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ui.alerts.rules import CHAMPION, SESSION, STATE, STATUS, STREAM, Value
from ui.market import Counters
from ui.metrics import Event, Metrics

OLD_SECONDS = 6.0  # three looks at MLflow missed
NO_CHAMPION = "none"


class Series(NamedTuple):
    """Whose value it is; ``symbol`` is empty for the session's own."""

    symbol: str
    who: str
    what: str

    @property
    def text(self) -> str:
        """The name, for people."""
        return " ".join(word for word in (self.symbol, self.who) if word)


Facts = dict[Series, Value]


def facts_of(
    metrics: Metrics,
    streams: Mapping[str, Counters | None],
    champions: Mapping[tuple[str, str], str] | None,
    stale_seconds: float,
) -> Facts:
    """Gather the facts.

    Args:
        metrics: what MLflow held at the last look.
        streams: the counters of each symbol's stream.
        champions: (symbol, learner) -> version of its champion; None if not known.
        stale_seconds: silence after which a stream is STALE.
    """
    session = metrics.session
    if session is None or session.state != "RUNNING":
        return {}
    found: Facts = {}
    for symbol, counters in streams.items():
        if counters is not None:
            found |= dict(_of_stream(symbol, counters, stale_seconds))
    if metrics.age is not None and metrics.age <= OLD_SECONDS:
        found |= dict(_of_metrics(metrics, champions))
    return found


def events_of(metrics: Metrics, heard: float) -> list[Event]:
    """Return what a running session had to say after ``heard``, Unix seconds."""
    running = metrics.session is not None and metrics.session.state == "RUNNING"
    return [event for event in metrics.events if running and event.ts > heard]


def stream_status(counters: Counters, stale_seconds: float) -> str:
    """Return the connection's state, or STALE if it is open but silent."""
    silent = counters.silent_seconds or 0.0
    stale = counters.connection == "CONNECTED" and silent > stale_seconds
    return "STALE" if stale else counters.connection


def _of_stream(
    symbol: str, counters: Counters, stale_seconds: float
) -> Iterator[tuple[Series, Value]]:
    yield Series(symbol, STREAM, STATUS), stream_status(counters, stale_seconds)
    for name, value in dataclasses.asdict(counters).items():
        if isinstance(value, int | float):
            yield Series(symbol, STREAM, name), float(value)


def _of_metrics(
    metrics: Metrics, champions: Mapping[tuple[str, str], str] | None
) -> Iterator[tuple[Series, Value]]:
    if metrics.session:
        yield Series("", SESSION, STATE), metrics.session.state
        for name, value in metrics.session.metrics.items():
            yield Series("", SESSION, name), value
    for symbol, runs in metrics.learners.items():
        for who, run in runs.items():
            if status := run.tags.get("status"):
                yield Series(symbol, who, STATUS), status
            if champions is not None:
                version = champions.get((symbol, who), NO_CHAMPION)
                yield Series(symbol, who, CHAMPION), version
            for name, value in run.metrics.items():
                yield Series(symbol, who, name), value

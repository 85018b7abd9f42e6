"""What is the case now, as far as it is known: what rules are held against.

    Metrics, stream counters, models -> facts_of -> {(symbol, who, what): value}

A fact that is not known is not there: no rule becomes true or untrue by it. So nothing is said of
metrics while MLflow is away, and nothing at all once the session has ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from trainers.tracking.model_reader import PREFIX, ModelRecord
from ui.alerts.rules import CHAMPION, SESSION, STATE, STATUS, STREAM, Value
from ui.live.header import OLD_SECONDS
from ui.market import Counters
from ui.metrics import Event, Metrics

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
    models: Iterable[ModelRecord] | None,
    stale_seconds: float,
) -> Facts:
    """Gather the facts.

    Args:
        metrics: what MLflow held at the last look.
        streams: the counters of each symbol's stream.
        models: the registered models; None if not known.
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
        found |= dict(_of_metrics(metrics))
        if models is not None:
            found |= dict(_of_champions(metrics, models))
    return found


def events_of(metrics: Metrics, heard: float) -> list[Event]:
    """Return what a running session had to say after ``heard``, Unix seconds."""
    running = metrics.session is not None and metrics.session.state == "RUNNING"
    return [event for event in metrics.events if running and event.ts > heard]


def _of_stream(
    symbol: str, counters: Counters, stale_seconds: float
) -> Iterator[tuple[Series, Value]]:
    yield Series(symbol, STREAM, STATUS), counters.status(stale_seconds)
    for name, value in dataclasses.asdict(counters).items():
        if isinstance(value, int | float):
            yield Series(symbol, STREAM, name), float(value)


def _of_metrics(metrics: Metrics) -> Iterator[tuple[Series, Value]]:
    if metrics.session:
        yield Series("", SESSION, STATE), metrics.session.state
        for name, value in metrics.session.metrics.items():
            yield Series("", SESSION, name), value
    for symbol in {*metrics.learners, *metrics.champions, *metrics.baselines}:
        for who, run in metrics.runs(symbol).items():
            if status := run.tags.get("status"):
                yield Series(symbol, who, STATUS), status
            for name, value in run.metrics.items():
                yield Series(symbol, who, name), value


def _of_champions(
    metrics: Metrics, models: Iterable[ModelRecord]
) -> Iterator[tuple[Series, Value]]:
    serving = {
        model.name: str(version.version)
        for model in models
        for version in model.versions
        if CHAMPION in version.aliases
    }
    for symbol, runs in metrics.learners.items():
        for who in runs:
            version = serving.get(f"{PREFIX}{symbol.lower()}-{who}", NO_CHAMPION)
            yield Series(symbol, who, CHAMPION), version

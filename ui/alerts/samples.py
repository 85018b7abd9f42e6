"""What alert rules are evaluated on: the newest known value of every series.

    SessionMetrics, stream counters, models -> collect_samples -> {(symbol, who, what): value}

A value that is not known is missing, and no rule becomes true or untrue by it. So no rule of
metrics changes its state while MLflow is away, and none at all once the session has ended. A mean
of a few bars or trades is not known either: an accuracy of 1 after two bars is no news.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from trainers.config import SessionConfig
from trainers.names import CHAMPION_ALIAS, Tag, model_of_run
from trainers.scoring.metrics import DIRECTION
from trainers.tracking.model_reader import ModelRecord
from ui.alerts.rules import CHAMPION, SESSION, STATE, STATUS, STREAM, Value
from ui.live.header import OLD_SECONDS
from ui.live.market import Counters
from ui.mlflow.session_metrics import Event, SessionMetrics
from ui.session_state import learner_state, session_state, stream_state
from ui.views.metric_cards import FEW

NO_CHAMPION = "none"


class Series(NamedTuple):
    """The name of a sample; ``symbol`` is empty for the session's own."""

    symbol: str
    who: str
    what: str

    @property
    def subject(self) -> str:
        """Symbol and name, for people."""
        return " ".join(word for word in (self.symbol, self.who) if word)


Samples = dict[Series, Value]


def collect_samples(
    metrics: SessionMetrics,
    streams: Mapping[str, Counters | None],
    models: Iterable[ModelRecord] | None,
    config: SessionConfig,
) -> Samples:
    """Return every sample that is known now.

    Args:
        metrics: what MLflow held when it was last read.
        streams: the counters of each symbol's stream.
        models: the registered models; None if they are not known.
        config: the session's settings.
    """
    if not metrics.running:
        return {}
    samples: Samples = {}
    for symbol, counters in streams.items():
        if counters is not None:
            samples |= dict(_of_stream(symbol, counters, config))
    if metrics.age is not None and metrics.age <= OLD_SECONDS:
        samples |= dict(_of_states(metrics, streams, config))
        samples |= dict(_of_metrics(metrics))
        if models is not None:
            samples |= dict(_of_champions(metrics, models))
    return samples


def new_events(metrics: SessionMetrics, after: float) -> list[Event]:
    """Return the events of a running session after ``after``, Unix seconds."""
    return [event for event in metrics.events if metrics.running and event.ts > after]


def _of_stream(
    symbol: str, counters: Counters, config: SessionConfig
) -> Iterator[tuple[Series, Value]]:
    yield Series(symbol, STREAM, STATE), stream_state(counters, config, None)
    for name, value in dataclasses.asdict(counters).items():
        if isinstance(value, int | float):
            yield Series(symbol, STREAM, name), float(value)


def _of_states(
    metrics: SessionMetrics, streams: Mapping[str, Counters | None], config: SessionConfig
) -> Iterator[tuple[Series, Value]]:
    session = session_state(metrics, streams, config, None)
    yield Series("", SESSION, STATE), session
    for symbol, runs in metrics.learners.items():
        stream = stream_state(streams.get(symbol), config, None)
        for who, run in runs.items():
            yield Series(symbol, who, STATE), learner_state(run, session, stream)


def _of_metrics(metrics: SessionMetrics) -> Iterator[tuple[Series, Value]]:
    if metrics.session:
        for name, value in metrics.session.metrics.items():
            yield Series("", SESSION, name), value
    for symbol in {*metrics.learners, *metrics.champions, *metrics.baselines}:
        for who, run in metrics.runs(symbol).items():
            if status := run.tags.get(Tag.STATUS):
                yield Series(symbol, who, STATUS), status
            for name, value in run.metrics.items():
                if not _is_of_few(name, run.metrics):
                    yield Series(symbol, who, name), value


def _is_of_few(name: str, metrics: Mapping[str, float]) -> bool:
    """Return whether a metric is a mean of fewer samples than say anything."""
    window, _, score = name.removesuffix("_ci").rpartition("/")
    counted_by = {**dict.fromkeys((*DIRECTION, "edge"), "scored"), "win_rate": "trades"}
    return metrics.get(f"{window}/{counted_by.get(score)}", FEW) < FEW


def _of_champions(
    metrics: SessionMetrics, models: Iterable[ModelRecord]
) -> Iterator[tuple[Series, Value]]:
    champions = {
        model.name: str(version.version)
        for model in models
        for version in model.versions
        if CHAMPION_ALIAS in version.aliases
    }
    for symbol, runs in metrics.learners.items():
        for who, run in runs.items():
            name = model_of_run(run.params, symbol, who)
            version = champions.get(name, NO_CHAMPION)
            yield Series(symbol, who, CHAMPION), version

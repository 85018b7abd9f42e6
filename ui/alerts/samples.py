"""What alert rules are evaluated on: the newest known value of every series.

    SessionMetrics, stream counters, models -> collect_samples -> {(symbol, who, what): value}

A value that is not known is missing, and no rule becomes true or untrue by it. So no rule of
metrics changes its state while MLflow is away, and none at all once the session has ended. A mean
of a few bars or trades is not known either: an accuracy of 1 after two bars is no news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from trainers.config import SessionConfig
from trainers.names import CHAMPION_ALIAS, Tag, model_of_run
from trainers.scoring.metrics import DIRECTION
from trainers.tracking.model_reader import ModelRecord
from ui.alerts.rules import CHAMPION, SESSION, STATE, STATUS, STREAM, Value
from ui.live.header import OLD_SECONDS
from ui.market_reader import Counters
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
    wanted: Collection[str],
) -> Samples:
    """Return every sample that is known now, of the kinds that are wanted.

    A session of many markets has tens of thousands of samples, and rules are about a few kinds.

    Args:
        metrics: what MLflow held when it was last read.
        streams: the counters of each symbol's stream.
        models: the registered models; None if they are not known.
        config: the session's settings.
        wanted: names of samples, as ``Rule.what``.
    """
    if not metrics.running:
        return {}
    samples: Samples = dict(_of_streams(streams, config, wanted))
    if metrics.age is not None and metrics.age <= OLD_SECONDS:
        if STATE in wanted:
            samples |= dict(_of_states(metrics, streams, config))
        samples |= dict(_of_metrics(metrics, wanted))
        if models is not None and CHAMPION in wanted:
            samples |= dict(_of_champions(metrics, models))
    return samples


def names_of_samples(
    metrics: SessionMetrics, streams: Mapping[str, Counters | None]
) -> set[tuple[str, str]]:
    """Return (who, what) of every sample that a rule could be about."""
    known = [(SESSION, name) for name in (metrics.session.metrics if metrics.session else ())]
    known += [
        (STREAM, name)
        for counters in streams.values()
        if counters is not None
        for name in (STATE, *_numbers(counters))
    ]
    for symbol in _symbols(metrics):
        for who, run in metrics.runs(symbol).items():
            of_learner = (STATE, CHAMPION) if who in metrics.learners.get(symbol, {}) else ()
            known += [(who, name) for name in (STATUS, *of_learner, *run.metrics)]
    return set(known)


def new_events(metrics: SessionMetrics, after: float) -> list[Event]:
    """Return the events of a running session after ``after``, Unix seconds."""
    return [event for event in metrics.events if metrics.running and event.ts > after]


def _numbers(counters: Counters) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in vars(counters).items()
        if isinstance(value, int | float)
    }


def _symbols(metrics: SessionMetrics) -> set[str]:
    return {*metrics.learners, *metrics.champions, *metrics.baselines}


def _of_streams(
    streams: Mapping[str, Counters | None], config: SessionConfig, wanted: Collection[str]
) -> Iterator[tuple[Series, Value]]:
    for symbol, counters in streams.items():
        if counters is None:
            continue
        if STATE in wanted:
            yield Series(symbol, STREAM, STATE), stream_state(counters, config, None)
        for name, value in _numbers(counters).items():
            if name in wanted:
                yield Series(symbol, STREAM, name), value


def _of_states(
    metrics: SessionMetrics, streams: Mapping[str, Counters | None], config: SessionConfig
) -> Iterator[tuple[Series, Value]]:
    session = session_state(metrics, streams, config, None)
    yield Series("", SESSION, STATE), session
    for symbol, runs in metrics.learners.items():
        stream = stream_state(streams.get(symbol), config, None)
        for who, run in runs.items():
            yield Series(symbol, who, STATE), learner_state(run, session, stream)


def _of_metrics(metrics: SessionMetrics, wanted: Collection[str]) -> Iterator[tuple[Series, Value]]:
    if metrics.session:
        for name in metrics.session.metrics.keys() & wanted:
            yield Series("", SESSION, name), metrics.session.metrics[name]
    for symbol in _symbols(metrics):
        for who, run in metrics.runs(symbol).items():
            if STATUS in wanted and (status := run.tags.get(Tag.STATUS)):
                yield Series(symbol, who, STATUS), status
            for name in run.metrics.keys() & wanted:
                if not _is_of_few(name, run.metrics):
                    yield Series(symbol, who, name), run.metrics[name]


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

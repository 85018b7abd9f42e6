"""The states that the page shows, and the end of a session. Pure.

rings' counters ─┬─ stream ─┐
MLflow's tags ───┴─ session ┴─ learners -> one word each (trainers.states), the same everywhere
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from streaming.rings.counters import ConnectionState
from trainers.config import SessionConfig
from trainers.names import Status, Tag
from trainers.states import (
    OVER,
    State,
    over_of,
    state_of_learner,
    state_of_session,
    state_of_stream,
)
from trainers.tracking.reader import RunRecord
from trainers.tracking.summary import summary_of
from ui.market_reader import Counters
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.formatting import for_good
from ui.views.view_model import Texts, ViewModel

Streams = Mapping[str, Counters | None]  # the counters by symbol


def stream_state(counters: Counters | None, config: SessionConfig, over: State | None) -> State:
    """Return the state of a market's stream.

    Args:
        counters: its counters; None before it has begun.
        config: the session's settings.
        over: how the session ended; None while it runs.
    """
    if over is not None:
        return over
    if counters is None:
        return State.STARTING
    silent = counters.silent_seconds or 0.0
    connection = ConnectionState[counters.connection]
    return state_of_stream(connection, counters.ticks, silent, config.stale_seconds)


def session_state(
    metrics: SessionMetrics, streams: Streams, config: SessionConfig, over: State | None
) -> State:
    """Return the state of the session; see ``stream_state``."""
    if over is not None:
        return over
    tags = metrics.session.tags if metrics.session else {}
    return state_of_session(
        [stream_state(counters, config, None) for counters in streams.values()],
        metrics.cycle or 0,
        paused=tags.get(Tag.STATUS) == Status.PAUSED,
    )


def learner_state(run: RunRecord | None, session: State, stream: State) -> State:
    """Return the state of a learner, given its run and the states of session and stream."""
    tags, metrics = (run.tags, run.metrics) if run else ({}, {})
    learned = bool(metrics) and tags.get(Tag.STATE) != State.WARMING_UP
    failing = tags.get(Tag.STATUS) == Status.ERROR
    return state_of_learner(session, stream, learned=learned, failing=failing)


def ended_as(metrics: SessionMetrics) -> State | None:
    """Return how the session ended, as MLflow says; None if it runs or is not known yet."""
    session = metrics.session
    return over_of(session.tags.get(Tag.STATE), session.state) if session else None


def state_texts(
    symbol: str,
    metrics: SessionMetrics,
    streams: Streams,
    config: SessionConfig,
    over: State | None,
) -> Texts:
    """Return the words for the session, one symbol's stream and its learners.

    Args:
        symbol: the market.
        metrics: what MLflow holds.
        streams: the counters of every market.
        config: the session's settings.
        over: how the session ended; None while it runs.
    """
    session = session_state(metrics, streams, config, over)
    stream = stream_state(streams[symbol], config, over)
    runs = metrics.learners.get(symbol, {})
    names = dict.fromkeys((*config.learner_names, *runs))
    return {
        "state": session,
        "session.text": _detail(session, metrics, streams[symbol], config),
        "stream.status": stream,
        **{f"{name}.status": learner_state(runs.get(name), session, stream) for name in names},
    }


def _detail(
    state: State, metrics: SessionMetrics, counters: Counters | None, config: SessionConfig
) -> str:
    """Return what stands beside the word: how far it is, or what it does."""
    if state == State.WARMING_UP:
        ticks = counters.ticks if counters else 0
        if ticks >= config.min_ticks:
            return "waiting for the first cycle"
        return f"{min(ticks, config.min_ticks):,} of {config.min_ticks:,} ticks"
    session = metrics.session
    if session is None or state == State.STARTING:
        return ""
    if state in OVER:
        return f"{session.cycle:,} cycle{'s' * (session.cycle > 1)}" if session.cycle else ""
    return session.tags.get(Tag.STATUS_TEXT, "")


def end_texts(metrics: SessionMetrics, over: State | None, now: float) -> Texts:
    """Return what came of a session that is over; empty texts while it runs.

    Args:
        metrics: what MLflow holds.
        over: how the session ended; None while it runs.
        now: Unix seconds, where MLflow does not know the end yet.
    """
    if over is None or metrics.session is None:
        return {"over.title": "", "over.text": "", "over.command": ""}
    learners = [run for runs in metrics.learners.values() for run in runs.values()]
    told = summary_of(metrics.session, learners, over, metrics.session.ended or now)
    return {
        "over.title": f"This session {_VERBS[over]} {told.title.partition(' ')[2]}.",
        "over.text": "\n".join(told.learners),
        "over.command": told.resume,
    }


def at_the_end(shown: ViewModel) -> ViewModel:
    """Return what a session that is over shows: what has not come does not come any more."""
    texts = {key: for_good(text) for key, text in shown.texts.items()}
    return dataclasses.replace(shown, texts=texts)


_VERBS = {State.STOPPED: "was stopped", State.ENDED: "ended", State.FAILED: "failed"}

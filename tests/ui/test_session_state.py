"""One state each for session, stream and learner, and what is said once a session is over."""

from __future__ import annotations

import dataclasses

import pytest

from trainers.config import SessionConfig
from trainers.states import State
from trainers.tracking.reader import RunRecord
from ui.market_reader import Counters
from ui.mlflow.session_metrics import SessionMetrics
from ui.session_state import at_the_end, end_texts, ended_as, state_texts
from ui.views.view_model import ViewModel

COUNTERS = Counters(
    connection="CONNECTED", ticks=700, bars=40, ticks_per_second=None, span_seconds=40.0, gaps=0,
    repaired=0, late=0, reconnects=1, rejected=0, lag_ms=None, silent_seconds=0.5,
)  # fmt: skip
SILENT = dataclasses.replace(COUNTERS, silent_seconds=61.0)
AWAY = dataclasses.replace(COUNTERS, connection="RECONNECTING")
FEW = dataclasses.replace(COUNTERS, ticks=120)
NONE_YET = dataclasses.replace(COUNTERS, ticks=0)
PLAYED = dataclasses.replace(COUNTERS, connection="ENDED")


def known(status_: str = "RUNNING", cycle: int | None = 7, **tags: str) -> SessionMetrics:
    """Return what MLflow holds of a session with a CNN that has learned."""
    session = RunRecord("s", status_, tags, {}, cycle, started=1000.0, ended=1600.0)
    scores = {"live/pnl_bps": -3.25, "live/pnl_bps_ci": 8.0, "live/scored": 512.0}
    cnn = RunRecord(
        "r", status_, {"symbol": "BTCUSDT", "learner": "cnn"}, scores if cycle else {}, cycle
    )
    return SessionMetrics(0.0, session, {"BTCUSDT": {"cnn": cnn}})


@pytest.mark.parametrize(
    ("counters", "metrics", "session", "stream", "learner"),
    [
        (None, SessionMetrics(), "starting", "starting", "starting"),
        (NONE_YET, known(cycle=None), "starting", "starting", "starting"),
        (FEW, known(cycle=None), "warming up", "live", "warming up"),
        (COUNTERS, known(), "live", "live", "live"),
        (SILENT, known(), "stalled", "stalled", "stalled"),
        (AWAY, known(), "stalled", "stalled", "stalled"),
        (COUNTERS, known(status="PAUSED"), "paused", "live", "paused"),
        (PLAYED, known(), "live", "ended", "live"),
        (COUNTERS, known("FINISHED", state="stopped"), "stopped", "stopped", "stopped"),
        (PLAYED, known("FINISHED", state="ended"), "ended", "ended", "ended"),
        (SILENT, known("KILLED"), "failed", "failed", "failed"),
        (SILENT, known("FINISHED"), "ended", "ended", "ended"),
    ],
)
def test_each_has_one_word_and_none_contradicts_another(
    counters: Counters | None, metrics: SessionMetrics, session: str, stream: str, learner: str
) -> None:
    config = SessionConfig(learners="cnn")
    texts = state_texts("BTCUSDT", metrics, {"BTCUSDT": counters}, config, ended_as(metrics))
    assert [texts["state"], texts["stream.status"], texts["cnn.status"]] == [
        session, stream, learner,
    ]  # fmt: skip
    assert set(texts.values()) - {texts["session.text"]} <= {*State}


def test_a_learner_that_fails_is_the_only_one_that_has() -> None:
    metrics = known()
    metrics.learners["BTCUSDT"]["cnn"].tags["status"] = "ERROR"
    config = SessionConfig(learners="cnn")
    texts = state_texts("BTCUSDT", metrics, {"BTCUSDT": COUNTERS}, config, None)
    assert (texts["state"], texts["cnn.status"]) == ("live", "failed")


def test_one_silent_market_of_two_does_not_stall_the_session() -> None:
    config = SessionConfig(learners="cnn", symbols="BTCUSDT,ETHUSDT")
    streams = {"BTCUSDT": COUNTERS, "ETHUSDT": SILENT}
    texts = state_texts("ETHUSDT", known(), streams, config, None)
    assert (texts["state"], texts["stream.status"]) == ("live", "stalled")


def test_warming_up_says_how_far_it_is() -> None:
    config = SessionConfig(min_ticks=500)
    texts = state_texts("BTCUSDT", known(cycle=None), {"BTCUSDT": FEW}, config, None)
    assert (texts["state"], texts["session.text"]) == ("warming up", "120 of 500 ticks")


def test_the_end_says_when_what_came_of_it_and_how_to_go_on() -> None:
    metrics = known("FINISHED", state="stopped")
    texts = end_texts(metrics, ended_as(metrics), 0.0)
    assert texts["over.title"] == (
        "This session was stopped at 00:26:40 UTC after 7 cycles in 10 min 0 s."
    )
    assert texts["over.text"] == ("cnn BTCUSDT: net P&L -3.2 ± 8.0 bp, 512 forecasts scored")
    assert texts["over.command"] == 'make ARGS="--resume s"'


def test_nothing_is_said_of_the_end_of_a_session_that_runs() -> None:
    metrics = known(state="live")
    assert {*end_texts(metrics, ended_as(metrics), 0.0).values()} == {""}


def test_what_is_over_says_what_it_came_to_and_waits_for_nothing() -> None:
    config, metrics = SessionConfig(learners="cnn"), known("FINISHED", state="ended")
    texts = state_texts("BTCUSDT", metrics, {"BTCUSDT": PLAYED}, config, ended_as(metrics))
    assert texts["session.text"] == "7 cycles"
    shown = ViewModel({"a": "no trades yet", "b": "+1.3 bp", "c": "not yet known"}, {"models": []})
    over = ViewModel({"a": "no trades", "b": "+1.3 bp", "c": "not yet known"}, {"models": []})
    assert at_the_end(shown) == over

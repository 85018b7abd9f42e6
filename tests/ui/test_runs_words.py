"""Verdicts, audit records, controls and runs, in words."""

from __future__ import annotations

import json

import pytest

from tests.ui.logged import PARITY, PROMOTED, VERDICT
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.live.cards import cards
from ui.live.controls import CONTROLS, confidence, controls
from ui.metrics import Metrics
from ui.runs.compare import metric_names, params_that_differ
from ui.runs.table import audit_words, model_rows, run_rows
from ui.session import mlflow_ui
from ui.verdicts import verdict_words
from ui.words import CHAMPION_RUN


def run(run_id: str = "r", state: str = "RUNNING", **tags: str) -> RunRecord:
    return RunRecord(run_id, state, {k.replace("__", "/"): v for k, v in tags.items()}, {}, None)


def session(**tags: str) -> RunRecord:
    return run("s", session="s", **tags)


def answered(name: str, **answer: object) -> str:
    tags = {f"control_result/{name}": json.dumps(answer)}
    state = controls(RunRecord("s", "RUNNING", tags, {}, None))
    return state.texts[f"control.{name}"]


def test_verdict_tells_its_evidence_and_what_is_missing() -> None:
    assert verdict_words(json.dumps(VERDICT)) == (
        "wait: not enough evidence yet (log E +1.84 against 3.00 needed, 720 bars, compared with"
        " logistic, about 21.0 min of the market still needed)"
    )


def test_a_reason_that_has_its_numbers_is_not_followed_by_them_again() -> None:
    reason = "not proven better than logistic: log E 0.55 of 3.69 after 198 bars"
    text = json.dumps({**VERDICT, "reason": reason})
    assert verdict_words(text) == f"wait: {reason}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "not known yet"),
        ("{}", "no decision"),
        ('{"decision": "keep"}', "keep"),
        ("[1]", "the trainer's verdict cannot be read"),
        ("nonsense", "the trainer's verdict cannot be read"),
        ('{"decision": "wait", "log_e": "high", "bars": true}', "wait"),
    ],
)
def test_verdict_that_is_incomplete_says_what_there_is(text: str | None, words: str) -> None:
    assert verdict_words(text) == words


def test_audit_record_says_when_what_by_whom_and_why() -> None:
    entry = {
        "ts": 1_700_000_000, "action": "promote", "by": "hand", "session": "abcdefghij",
        "cycle": 20, "verdict": PROMOTED,
    }  # fmt: skip
    assert audit_words(entry) == (
        "2023-11-14 22:13 promote by hand in cycle 20 of abcdefgh — promote: better than logistic"
        " (log E +3.21 against 3.00 needed, 2,400 bars, compared with logistic)"
    )
    assert audit_words({"action": "unreadable record"}) == "unreadable record"


def test_control_goes_from_requested_to_applied_or_refused() -> None:
    asked = controls(RunRecord("s", "RUNNING", {"control/epsilon": "0.2"}, {}, None))
    assert asked.texts["control.epsilon"] == "requested 0.2"
    assert asked.texts["control.pause"] == "", "what nobody asked for says nothing"
    assert answered("epsilon", result="applied", value="0.2", cycle=7) == "applied 0.2 in cycle 7"
    assert answered("pause", result="applied", value="1", cycle=7) == "applied in cycle 7"
    assert answered("epsilon", result="refused", text="allowed: 0 to 1") == (
        "refused: allowed: 0 to 1"
    )
    assert answered("epsilon", result="?") == "the trainer's answer cannot be read"


def test_new_request_hides_the_answer_to_the_one_before() -> None:
    tags = {"control/epsilon": "0.3", "control_result/epsilon": '{"result": "applied"}'}
    state = controls(RunRecord("s", "RUNNING", tags, {}, None))
    assert state.texts["control.epsilon"] == "requested 0.3"


def test_ended_session_takes_no_control_but_start() -> None:
    ended = controls(run(state="FINISHED"))
    assert ended.whole["running"] is False
    assert "Start has it go on" in ended.texts["control.note"]
    failed = controls(run(state="FINISHED"), failed="tickloop: resume: it runs")
    assert failed.texts["control.note"] == "it could not be started: tickloop: resume: it runs"
    assert controls(None).whole["running"] is False
    assert set(CONTROLS) <= {key.removeprefix("control.") for key in ended.texts}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"result": "applied", "value": "0.7"}', 0.7),
        ('{"result": "refused", "value": "7"}', 0.65),
        ('{"result": "applied"}', 0.65),
        ("nonsense", 0.65),
    ],
)
def test_confidence_shown_is_the_one_applied(answer: str, expected: float) -> None:
    record = RunRecord("s", "RUNNING", {"control_result/confidence": answer}, {}, None)
    assert confidence(record, 0.65) == expected


def test_champion_is_its_version_and_how_it_does_now() -> None:
    from trainers.config import SessionConfig

    learner = run(symbol="BTCUSDT", learner="cnn", champion="4")
    frozen = RunRecord("f", "RUNNING", {}, {"live/accuracy": 0.536}, 1)
    metrics = Metrics(
        learners={"BTCUSDT": {"cnn": learner, "dqn": run(champion=""), "mine": run()}},
        champions={"BTCUSDT": {"cnn" + CHAMPION_RUN: frozen}},
    )
    texts = cards(SessionConfig(), "BTCUSDT", None, metrics, {}).texts
    assert texts["cnn.champion"] == "version 4, live 53.6 %"
    assert texts["dqn.champion"] == "none yet"
    assert texts["mine.champion"] == "not known yet"


def test_runs_say_what_they_are_and_what_a_replay_came_to() -> None:
    replay = run("p", session="p", replay_of="s" * 32, parity=PARITY)
    learner = run("c", session="s", symbol="BTCUSDT", learner="cnn", kind="learner", champion="2")
    stray = run("x", session="gone", kind="learner")
    rows = run_rows([session(symbol="BTCUSDT"), replay], [learner, stray])
    assert set(rows) == {"s", "p", "c"}, "a learner of a session that is not listed is left out"
    assert rows["p"][4] == "replay"
    assert rows["p"][-1].endswith(f"replay of ssssssss · parity {PARITY}")
    assert rows["s"][-1].endswith("parity not known yet")
    assert rows["c"][1:5] == ["s", 0, "cnn BTCUSDT", "learner"]
    assert rows["c"][7] == "no bars scored yet"
    assert rows["c"][-1] == "champion: version 2"


def test_model_is_bound_to_this_session_s_learner_only() -> None:
    version = VersionRecord(3, "r", 1_700_000_000, ["champion"], [{"action": "promote"}])
    models = [ModelRecord("tickloop-a-cnn", [version]), ModelRecord("tickloop-b-cnn", [])]
    ours, other = model_rows(models, {"tickloop-a-cnn": "A.cnn"})
    assert (ours["learner"], other["learner"]) == ("A.cnn", "")
    assert ours["versions"][0]["aliases"] == ["champion"]
    assert ours["versions"][0]["audit"] == ["promote"]


def test_comparison_names_params_that_differ_and_headline_metrics_first() -> None:
    a = RunRecord("a", "", {}, {"live/edge": 1.0, "b": 1.0, "only": 1.0}, 1, {"x": "1", "y": "2"})
    b = RunRecord("b", "", {}, {"live/edge": 1.0, "b": 1.0}, 1, {"x": "1", "z": "3"})
    assert params_that_differ(a, b) == [["y", "2", "not set"], ["z", "not set", "3"]]
    assert metric_names(a, b) == ["live/edge", "b", "only"]


def test_link_into_mlflow_never_tells_a_password() -> None:
    assert mlflow_ui("https://me:secret@mlflow.lan:8443/base/", 5000) == (
        "https://mlflow.lan:8443/base"
    )
    assert mlflow_ui("sqlite:////somewhere/mlflow.db", 5000) == 5000
    assert mlflow_ui("postgresql://me:secret@host/db", 0) == 0

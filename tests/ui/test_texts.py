"""The texts of verdicts, audit records, controls and runs."""

from __future__ import annotations

import json

import pytest

from tests.ui.mlflow_runs import PARITY, PROMOTED, VERDICT
from trainers.names import champion_name
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.live.control_panel import CONTROLS, confidence, controls
from ui.live.header import price_decimals
from ui.live.learner_cards import cards
from ui.mlflow.session_metrics import SessionMetrics
from ui.runs.run_comparison import metric_names, params_that_differ
from ui.runs.runs_table import audit_text, model_rows, run_rows
from ui.session_view import mlflow_ui
from ui.views.metric_cards import LIVE_ACCURACY, PNL
from ui.views.verdict_text import verdict_text


def run(run_id: str = "r", status_: str = "RUNNING", **tags: str) -> RunRecord:
    return RunRecord(run_id, status_, {k.replace("__", "/"): v for k, v in tags.items()}, {}, None)


def session(**tags: str) -> RunRecord:
    return run("s", session="s", **tags)


def answered(name: str, **answer: object) -> str:
    tags = {f"control_result/{name}": json.dumps(answer)}
    state = controls(RunRecord("s", "RUNNING", tags, {}, None))
    return state.texts[f"control.{name}"]


def test_verdict_has_its_evidence_and_what_is_missing() -> None:
    assert verdict_text(json.dumps(VERDICT)) == (
        "wait: not enough evidence yet (log E +1.84 against 3.00 needed, 720 bars, compared with"
        " logistic, about 21.0 min of the market still needed)"
    )


def test_a_reason_that_has_its_numbers_is_not_followed_by_them_again() -> None:
    reason = "not proven better than logistic: log E 0.55 of 3.69 after 198 bars"
    text = json.dumps({**VERDICT, "reason": reason})
    assert verdict_text(text) == f"wait: {reason}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "not known yet"),
        ("{}", "no decision"),
        ('{"decision": "keep"}', "keep"),
        ("[1]", "the trainer's verdict cannot be read"),
        ("nonsense", "the trainer's verdict cannot be read"),
        ('{"decision": "wait", "log_e": "high", "bars": true}', "wait"),
    ],
)
def test_verdict_that_is_incomplete_has_what_there_is(text: str | None, expected: str) -> None:
    assert verdict_text(text) == expected


def test_audit_record_has_when_what_by_whom_and_why() -> None:
    entry = {
        "ts": 1_700_000_000, "action": "promote", "by": "hand", "session": "abcdefghij",
        "cycle": 20, "verdict": PROMOTED,
    }  # fmt: skip
    assert audit_text(entry) == (
        "2023-11-14 22:13 promote by hand in cycle 20 of abcdefgh — promote: better than logistic"
        " (log E +3.21 against 3.00 needed, 2,400 bars, compared with logistic)"
    )
    assert audit_text({"action": "unreadable record"}) == "unreadable record"


def test_control_goes_from_requested_to_applied_or_refused() -> None:
    asked = controls(RunRecord("s", "RUNNING", {"control/epsilon": "0.2"}, {}, None))
    assert asked.texts["control.epsilon"] == "requested 0.2"
    assert asked.texts["control.pause"] == "", "what nobody asked for has no text"
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
    ended = controls(run(status_="FINISHED"))
    assert ended.whole["running"] is False
    assert "Start has it go on" in ended.texts["control.note"]
    failed = controls(run(status_="FINISHED"), failed="tickloop: resume: it runs")
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
    metrics = SessionMetrics(
        learners={"BTCUSDT": {"cnn": learner, "dqn": run(champion=""), "mine": run()}},
        champions={"BTCUSDT": {champion_name("cnn"): frozen}},
    )
    texts = cards(SessionConfig(), "BTCUSDT", None, metrics).texts
    assert texts["cnn.champion"] == "version 4, live 53.6 %"
    assert texts["dqn.champion"] == "none yet"
    assert texts["mine.champion"] == "not known yet"


def test_runs_have_their_kind_and_what_a_replay_found() -> None:
    replay = run("p", session="p", replay_of="s" * 32, parity=PARITY)
    learner = run("c", session="s", symbol="BTCUSDT", learner="cnn", kind="learner", champion="2")
    stray = run("x", session="gone", kind="learner")
    rows = run_rows([session(symbol="BTCUSDT"), replay], [learner, stray])
    assert set(rows) == {"s", "p", "c"}, "a learner of a session that is not listed is left out"
    assert rows["p"]["kind"] == "replay"
    assert rows["p"]["note"].endswith(f"replay of ssssssss · parity {PARITY}")
    assert rows["s"]["note"].endswith("parity not known yet")
    cnn = rows["c"]
    assert [cnn[key] for key in ("session", "started", "name", "kind")] == [
        "s", 0, "cnn BTCUSDT", "learner",
    ]  # fmt: skip
    assert cnn["scores"][0] == "no bars scored yet"
    assert cnn["note"] == "champion: version 2"


def test_runs_have_the_state_of_their_session_and_champions_that_never_were_are_left_out() -> None:
    def learner(name: str, kind: str = "learner", **metrics: float) -> RunRecord:
        tags = {"session": "s", "symbol": "A", "learner": name, "kind": kind, "state": "paused"}
        named = {key.replace("__", "/"): value for key, value in metrics.items()}
        return RunRecord(name, "RUNNING", tags, named, 1)

    stopped = run("s", "FINISHED", session="s", state="stopped")
    served = learner("cnn.champion", "champion", live__scored=3.0)
    never = learner("dqn.champion", "champion", live__scored=0.0)
    rows = run_rows([stopped], [learner("cnn"), served, never])
    assert {name: row["status"] for name, row in rows.items()} == {
        "s": "stopped", "cnn": "paused", "cnn.champion": "paused",
    }  # fmt: skip
    (killed,) = run_rows([run("s", "KILLED", session="s", state="live")], []).values()
    assert killed["status"] == "failed"


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


def test_link_into_mlflow_never_has_a_password() -> None:
    assert mlflow_ui("https://me:secret@mlflow.lan:8443/base/", 5000) == (
        "https://mlflow.lan:8443/base"
    )
    assert mlflow_ui("sqlite:////somewhere/mlflow.db", 5000) == 5000
    assert mlflow_ui("postgresql://me:secret@host/db", 0) == 0


@pytest.mark.parametrize(
    "metrics, shown",
    [
        (
            {"live/accuracy": 0.5, "live/accuracy_ci": 0.579, "live/scored": 8},
            "n = 8: 50.0 % ± 57.9 %",
        ),
        ({"live/accuracy": 0.542, "live/scored": 720}, "54.2 % of 720 bars"),
        ({}, "no bars scored yet"),
    ],
)
def test_a_score_of_few_samples_begins_with_their_number(
    metrics: dict[str, float], shown: str
) -> None:
    assert LIVE_ACCURACY.text(metrics) == shown


def test_a_profit_without_a_trade_is_no_number() -> None:
    assert PNL.text({"live/pnl_bps": 0.0, "live/trades": 0}) == "no trades yet"
    assert PNL.text({"live/pnl_bps": -27.0, "live/trades": 0}) == "n = 0: -27.0 bp"
    assert PNL.text({"live/pnl_bps": -131.9, "live/pnl_bps_ci": 93.9, "live/trades": 64}) == (
        "-131.9 bp ± 93.9 bp"
    )


@pytest.mark.parametrize(
    "closes, decimals",
    [
        ([], 2), ([64_000.12, 64_000.1], 2), ([0.1 + 0.2], 1), ([1.085123], 6),
        ([0.00012345], 8), ([1.2345e-9, 1.2346e-9], 13), ([3e-18], 18), ([1e12, 1e12 + 0.25], 2),
    ],
)  # fmt: skip
def test_prices_have_as_many_decimals_as_tell_them_apart(closes, decimals) -> None:
    assert price_decimals([[0, close, close, close, close] for close in closes]) == decimals

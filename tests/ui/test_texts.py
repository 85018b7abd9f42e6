"""The texts of verdicts, audit records, controls and runs."""

from __future__ import annotations

import dataclasses
import json

import pytest

from streaming.events import Code
from tests.ui.mlflow_runs import PARITY, PROMOTED, VERDICT
from trainers.config import SessionConfig
from trainers.names import Control, champion_name
from trainers.scoring.metrics import DIRECTION
from trainers.states import State
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.controls.control_panel import controls
from ui.controls.current_values import current_values
from ui.controls.decision import decision_of
from ui.live.header import decimals_of, header, price_decimals
from ui.live.learner_cards import cards, newest_events
from ui.mlflow.session_metrics import Event, SessionMetrics
from ui.runs.run_comparison import metric_names, params_that_differ
from ui.runs.runs_table import audit_text, model_rows, run_rows
from ui.session_view import mlflow_ui
from ui.views.formatting import bp, nats, share_of_coin
from ui.views.glossary import TERMS
from ui.views.metric_cards import DRAWDOWN, LIVE_ACCURACY, PNL, full_name
from ui.views.verdict_text import verdict_text
from ui.views.view_model import ViewModel


def run(run_id: str = "r", status_: str = "RUNNING", **tags: str) -> RunRecord:
    return RunRecord(run_id, status_, {k.replace("__", "/"): v for k, v in tags.items()}, {}, None)


def session(**tags: str) -> RunRecord:
    return run("s", session="s", **tags)


NOW = 1_700_000_000.0


def state_of(
    metrics: SessionMetrics,
    versions: dict[str, list[VersionRecord]] | None = None,
    now: float = NOW,
) -> ViewModel:
    return controls(SessionConfig(), metrics, 0.65, versions or {}, now)


def tagged(**tags: str) -> SessionMetrics:
    record = RunRecord("s", "RUNNING", {k.replace("__", "/"): v for k, v in tags.items()}, {}, None)
    return SessionMetrics(session=record)


def answered(name: str, **answer: object) -> str:
    metrics = tagged(**{f"control_result/{name}": json.dumps(answer)})
    return state_of(metrics).texts[f"control.{name}"]


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
        "2023-11-14 22:13 promoted by hand in cycle 20 of session abcdefgh — promote: better than"
        " logistic (log E +3.21 against 3.00 needed, 2,400 bars, compared with logistic)"
    )
    assert audit_text({"action": "unreadable record"}) == "unreadable record"


def test_control_goes_from_requested_to_applied_or_refused() -> None:
    asked = state_of(tagged(control__epsilon="0.2"))
    assert asked.texts["control.epsilon"] == "requested 0.2"
    assert asked.whole["cannot"]["epsilon"] == "asked for already, and not carried out yet"
    assert asked.texts["control.pause"] == "", "what nobody asked for has no text"
    assert answered("epsilon", result="applied", value="0.2", cycle=7) == "applied 0.2 in cycle 7"
    assert answered("pause", result="applied", value="1", cycle=7) == "applied in cycle 7"
    refusal = "refused control/epsilon: got 'x'; allowed: 0 to 1"
    assert answered("epsilon", result="refused", text=refusal) == (
        "refused: got 'x'; allowed: 0 to 1"
    )
    assert answered("epsilon", result="?") == "the trainer's answer cannot be read"


def test_request_has_who_asked_and_when_unless_somebody_else_did() -> None:
    about = {"control_asked/epsilon": json.dumps({"value": "0.2", "by": "operator", "ts": NOW})}
    assert state_of(tagged(control__epsilon="0.2", **about)).whole["asked"] == {
        "epsilon": ["operator", NOW]
    }
    for value, by in (("0.2", "operator"), ("0.3", "")):
        result = json.dumps({"result": "applied", "value": value, "ts": NOW + 9})
        metrics = tagged(control_result__epsilon=result, **about)
        assert state_of(metrics).whole["asked"] == {"epsilon": [by, NOW + 9]}


@pytest.mark.parametrize("control", ["promote", "rollback"])
def test_a_move_is_being_made_until_the_registry_s_record_has_it(control: str) -> None:
    answer = {"result": "applied", "value": "cnn", "cycle": 4, "ts": NOW}
    metrics = tagged(**{f"control_result/{control}": json.dumps(answer)})

    def text(audit: dict[str, object], now: float = NOW + 20) -> str:
        found = {"BTCUSDT.cnn": [VersionRecord(4, "r", NOW, [], [audit])], "BTCUSDT.dqn": []}
        return state_of(metrics, found, now).texts[f"control.{control}"]

    done = {"action": control, "session": "s", "ts": NOW + 12}
    assert text(done) == "applied cnn in cycle 4: version 4"
    for other in ({"ts": NOW - 60}, {"session": "t"}, {"action": "register"}):
        assert text({**done, **other}) == "being made: cnn, taken in cycle 4"
    assert text({}, NOW + 240).startswith("not in the registry after 4.0 min")


def test_a_move_in_several_markets_names_those_that_wait() -> None:
    answer = {"result": "applied", "value": "cnn", "cycle": 4, "ts": NOW}
    audit = {"action": "promote", "session": "s", "ts": NOW}
    found = {"A.cnn": [VersionRecord(4, "r", NOW, [], [audit])], "B/USD.cnn": []}
    state = state_of(tagged(control_result__promote=json.dumps(answer)), found)
    assert state.texts["control.promote"] == "being made for B/USD: cnn, taken in cycle 4"
    assert "promote" in state.whole["cannot"]


def test_new_request_hides_the_answer_to_the_one_before() -> None:
    metrics = tagged(control__epsilon="0.3", control_result__epsilon='{"result": "applied"}')
    assert state_of(metrics).texts["control.epsilon"] == "requested 0.3"


def test_what_cannot_be_asked_for_says_why() -> None:
    learners = {
        "BTCUSDT": {"cnn": RunRecord("c", "RUNNING", {"champion": "2"}, {}, 4), "dqn": run()}
    }
    session = RunRecord("s", "RUNNING", {"status": "PAUSED"}, {}, None)
    state = state_of(SessionMetrics(session=session, learners=learners)).whole
    assert state["paused"] is True
    assert state["cannot"] == {
        "start": "the session is running",
        "train_now": "training is paused; Resume has it go on",
        "promote BTCUSDT.dqn": "dqn has not learned yet",
        "rollback BTCUSDT.dqn": "dqn has no champion",
    }


def test_ended_session_takes_no_control_but_start() -> None:
    ended = state_of(SessionMetrics(session=run(status_="FINISHED")))
    assert set(ended.whole["cannot"]) == set(Control) - {Control.START}
    assert "Start resumes it" in ended.texts["control.note"]
    told = controls(SessionConfig(), tagged(), 0.65, {}, NOW, State.STOPPED)
    assert set(told.whole["cannot"]) == set(Control) - {Control.START}, "before MLflow says it"
    metrics = SessionMetrics(session=run(status_="FINISHED"))
    failed = controls(SessionConfig(), metrics, 0.65, {}, NOW, failed="tickloop: resume: it runs")
    assert failed.texts["control.note"] == "it could not be started: tickloop: resume: it runs"
    assert set(state_of(SessionMetrics()).whole["cannot"]) == set(Control)


def test_values_in_force_are_those_set_else_those_trained_with() -> None:
    steps = {"train/learning_rate": 5, "train/epsilon": 5}
    cnn = RunRecord("c", "", {}, {"train/learning_rate": 0.002}, 5, steps=steps)
    dqn = RunRecord(
        "d", "", {}, {"train/learning_rate": 0.0003, "train/epsilon": 0.081}, 5, steps=steps
    )
    metrics = SessionMetrics(learners={"BTCUSDT": {"cnn": cnn, "dqn": dqn}})
    found = current_values(SessionConfig(), metrics, 0.65)
    assert found["learning_rate"] == ["", "cnn 0.002, dqn 0.0003; 1e-07 to 1", 1e-7, 1.0]
    assert found["epsilon"] == ["0.081", "dqn; 0 to 1", 0.0, 1.0]
    assert found["confidence"] == ["0.65", "0.5 to 1", 0.5, 1.0]
    new = current_values(SessionConfig(), SessionMetrics(), 0.65)
    assert new["learning_rate"][1].startswith("cnn 0.001, dqn 0.0003;")
    assert new["epsilon"][:2] == ["", "no learner has it yet; 0 to 1"]


@pytest.mark.parametrize("cycle, epsilon", [(4, "0.081"), (5, "0.2")])
def test_a_value_that_was_set_holds_until_it_is_trained_with(cycle: int, epsilon: str) -> None:
    dqn = RunRecord("d", "", {}, {"train/epsilon": 0.081}, 5, steps={"train/epsilon": 5})
    result = json.dumps({"result": "applied", "value": "0.2", "cycle": cycle})
    session = tagged(control_result__epsilon=result).session
    metrics = SessionMetrics(session=session, learners={"BTCUSDT": {"dqn": dqn}})
    assert current_values(SessionConfig(), metrics, 0.65)["epsilon"][0] == epsilon


def test_a_decision_names_what_becomes_what() -> None:
    scores = {"live/scored": 720.0, "live/edge": 0.0042, "live/edge_ci": 0.0112,
              "live/pnl_bps": -12.4, "live/trades": 40.0}  # fmt: skip
    metrics = SessionMetrics(
        learners={"BTCUSDT": {"cnn": RunRecord("c", "", {"champion": "2"}, scores, 24)}},
        champions={
            "BTCUSDT": {champion_name("cnn"): RunRecord("f", "", {}, {"live/scored": 600}, 24)}
        },
    )
    aliases = {1: "previous", 2: "champion", 3: "challenger"}
    versions = [VersionRecord(n, f"r{n}", NOW, [alias], []) for n, alias in aliases.items()]
    model = [ModelRecord("tickloop-btcusdt-cnn", versions)]

    def rows(control: Control) -> list[list[str]]:
        name = model[0].name
        found = decision_of(
            control, name, "BTCUSDT", "cnn", metrics, model, {"r1": {"live/scored": 90}}
        )
        assert found.markets == ["BTCUSDT"]
        return [row[:3] for row in found.rows]

    assert rows(Control.PROMOTE) == [
        ["cnn as it is now, after cycle 24", "a new version, champion", "720"],
        ["version 2, champion now", "previous", "600"],
        ["version 1, previous now", "nothing: it stays in the registry", "90"],
        ["version 3, challenger now", "what it is", "—"],
    ]
    assert rows(Control.ROLLBACK) == [
        ["version 2, champion now", "nothing: it stays in the registry", "600"],
        ["version 1, previous now", "champion", "90"],
    ]
    versions.pop(0)
    assert rows(Control.ROLLBACK)[1][:2] == ["nobody", "champion"]


def test_champion_is_its_version_and_how_it_does_now() -> None:
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


def test_a_first_trade_that_is_held_is_no_trade_closed() -> None:
    held = {"live/pnl_bps": 0.5, "live/pnl_bps_ci": 1.4, "live/trades": 0.0}
    learner = dataclasses.replace(run(symbol="BTCUSDT", learner="dqn"), metrics=held)
    metrics = SessionMetrics(learners={"BTCUSDT": {"dqn": learner}})
    texts = cards(SessionConfig(), "BTCUSDT", None, metrics).texts
    assert texts["dqn.note"] == "open: the interval holds 0, the first is held"
    held["live/pnl_bps"] = 0.0
    assert cards(SessionConfig(), "BTCUSDT", None, metrics).texts["dqn.note"] == ""


def test_zero_has_one_sign() -> None:
    assert (bp(-0.04), nats(-0.00004), share_of_coin(-0.0002)) == ("+0.0 bp", "+0.0000", "+0.0 %")


def test_a_card_says_at_which_cycle_its_scores_stand() -> None:
    young = RunRecord("y", "RUNNING", {}, {"train/seconds": 0.1}, 2)
    scored = RunRecord("s", "RUNNING", {}, {"live/pnl_bps": -1.5, "live/trades": 40.0}, 1234)
    metrics = SessionMetrics(learners={"BTCUSDT": {"cnn": scored, "dqn": young}})
    texts = cards(SessionConfig(), "BTCUSDT", None, metrics).texts
    assert texts["cnn.as_of"] == "as of cycle 1,234"
    assert texts["dqn.as_of"] == "", "nothing is scored yet"


@pytest.mark.parametrize(("over", "expected"), [(False, "now 1,234"), (True, "1,234 in all")])
def test_cycles_of_a_session_that_is_over_are_not_now(over: bool, expected: str) -> None:
    metrics = SessionMetrics(session=RunRecord("s", "RUNNING", {}, {}, 1234))
    assert header([], metrics, 2, over=over)["cycle"] == f"By cycle, {expected}"


def test_each_metric_has_a_name_of_its_own_with_its_unit() -> None:
    shares = {name for name, term in TERMS.items() if term.unit == "share" and "/" in name}
    assert len(shares) > 20
    assert all(full_name(name).endswith(", share") for name in shares)
    windows = [f"live/{window}{name}" for window in ("", "10m/", "1h/") for name in DIRECTION]
    known = {*TERMS, *windows, *(f"{name}_ci" for name in windows), "horizon/60s/move_bps"}
    assert len({full_name(name) for name in known}) == len(known)


@pytest.mark.parametrize(
    "value, text", [(24.64, "24.6 ± 29.9 bp"), (1234.5, "1,234 ± 29.9 bp"), (0.0, "0.0 ± 29.9 bp")]
)
def test_a_drawdown_has_no_sign_and_its_unit_once(value: float, text: str) -> None:
    assert DRAWDOWN.text({"live/drawdown": value, "live/drawdown_ci": 29.9}) == text


def test_an_event_of_a_connection_leaves_its_streams_out() -> None:
    events = [
        Event(1.0, Code.CONNECTED, "connected to ws://there/stream?streams=btcusdt@trade"),
        Event(2.0, Code.CONTROL, "why? so"),
    ]
    assert [each["text"] for each in newest_events(events)] == [
        "why? so", "connected to ws://there/stream",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "close, text", [(100.066, "+6.60 bp in 60 s"), (99.99999, "+0.00 bp in 60 s")]
)
def test_a_change_has_two_decimals_and_no_zero_below_zero(close: float, text: str) -> None:
    rows = [[i, 100.0, 100.0, 100.0, 100.0] for i in range(60)] + [[60, 100.0, close, close, close]]
    assert header(rows, SessionMetrics(), 2)["change"] == text


def test_runs_have_their_kind_and_what_a_replay_found() -> None:
    replay = run("p", session="p", replay_of="s" * 32, parity=PARITY)
    learner = run("c", session="s", symbol="BTCUSDT", learner="cnn", kind="learner", champion="2")
    stray = run("x", session="gone", kind="learner")
    rows = run_rows([session(symbol="BTCUSDT"), replay], [learner, stray])
    assert set(rows) == {"s", "p", "c"}, "a learner of a session that is not listed is left out"
    assert rows["p"]["kind"] == "replay"
    assert rows["p"]["note"].endswith(f"replay of ssssssss · replay {PARITY}")
    assert rows["s"]["note"].endswith("not replayed")
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
    served.tags["state"] = "live"
    never = learner("dqn.champion", "champion", live__scored=0.0)
    rows = run_rows([stopped], [learner("cnn"), served, never])
    assert {name: row["status"] for name, row in rows.items()} == {
        "s": "stopped", "cnn": "stopped", "cnn.champion": "stopped",
    }  # fmt: skip
    assert rows["cnn"]["scores"][0] == "no bars scored", "it is over: none will come"
    (killed,) = run_rows([run("s", "KILLED", session="s", state="live")], []).values()
    assert killed["status"] == "failed"


def test_model_is_bound_to_this_session_s_learner_only() -> None:
    version = VersionRecord(3, "r", 1_700_000_000, ["champion"], [{"action": "promote"}])
    models = [ModelRecord("tickloop-a-cnn", [version]), ModelRecord("tickloop-b-cnn", [])]
    ours, other = model_rows(models, {"tickloop-a-cnn": "A.cnn"})
    assert (ours["learner"], other["learner"]) == ("A.cnn", "")
    assert ours["versions"][0]["aliases"] == ["champion"]
    assert ours["versions"][0]["audit"] == ["promoted"]


def test_comparison_names_params_that_differ_and_headline_metrics_first() -> None:
    a = RunRecord("a", "", {}, {"live/edge": 1.0, "b": 1.0, "only": 1.0}, 1, {"x": "1", "y": "2"})
    a.params.update(page_port="7860", venue_ws="ws://127.0.0.1:38785")  # not what was tried
    b = RunRecord("b", "", {}, {"live/edge": 1.0, "b": 1.0}, 1, {"x": "1", "z": "3"})
    assert params_that_differ([a, b]) == (["y", "z"], 1)
    assert metric_names([a, b]) == ["live/edge", "b", "only"]
    b.params["venue_ws"] = "wss://elsewhere"
    assert params_that_differ([a, b])[0] == ["venue_ws", "y", "z"]


def test_a_headline_that_only_one_run_has_comes_before_what_all_have() -> None:
    old = RunRecord("a", "", {}, {"horizon/1s/move": 1.0, "live/edge": 1.0, "train/loss": 1.0}, 1)
    young = RunRecord("b", "", {}, {"horizon/1s/move": 1.0, "train/loss": 1.0}, 1)
    assert metric_names([old, young]) == ["train/loss", "live/edge", "horizon/1s/move"]


def test_runs_that_have_no_headline_yet_begin_with_the_bars_scored() -> None:
    warming_up = RunRecord("a", "", {}, {"live/10m/broken": 0.0, "live/scored": 0.0}, 1)
    assert metric_names([warming_up, warming_up])[0] == "live/scored"


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
    assert decimals_of(closes) == decimals
    assert price_decimals([[0, 1, 2, 3, close, 5] for close in closes]) == decimals

"""Rules and their states, without a clock, a disk or a network."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ConfigError
from streaming.events import Code
from tests.ui.page_world import COUNTERS
from trainers.config import SessionConfig
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.alerts.rule_evaluator import LONGEST_STEP, RuleEvaluator, Transition
from ui.alerts.rules import CODES, DEFAULTS, EVENT, Rule
from ui.alerts.samples import Samples, Series, collect_samples, names_of_samples, new_events
from ui.mlflow.session_metrics import Event, SessionMetrics

EDGE = Series("BTCUSDT", "cnn", "live/edge")
STEP = 2.0  # seconds from one evaluation to the next


def rule(who: str = "cnn", what: str = "live/edge", how: str = ">", value: str = "0", **more):
    return Rule(who=who, what=what, how=how, value=value, **more)


def transitions(
    evaluator: RuleEvaluator, rule: Rule, *values: float | str | None, series=EDGE, start=0.0
):
    """Evaluate a series every two seconds; return the transitions. None: not known."""
    found = []
    for i, value in enumerate(values):
        samples: Samples = {} if value is None else {series: value}
        found += evaluator.evaluate({"r": rule}, samples, [], start + STEP * i)
    return found


def phases(rule: Rule, *values: float | str | None, **options) -> list[str]:
    return [change.phase for change in transitions(RuleEvaluator(), rule, *values, **options)]


# ---- what is a rule


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"seconds": 600}, "cnn live/edge > 0 for 10 min"),
        ({"seconds": 3600, "symbol": "BTCUSDT"}, "BTCUSDT cnn live/edge > 0 for 1 h"),
        ({"seconds": 90, "value": 0.5}, "cnn live/edge > 0.5 for 90 s"),
        ({"who": "any", "what": "status", "how": "is", "value": "ERROR"},
         "any learner status is ERROR"),
        ({"who": "stream", "what": "gaps", "how": "rises", "seconds": 60}, "stream gaps rises"),
        ({"who": "session", "what": "event", "how": "is", "value": "gap", "seconds": 60},
         "session event is gap"),
        ({"who": " a\n b "}, "a b live/edge > 0"),
    ],
)  # fmt: skip
def test_a_rule_has_a_text(fields: dict, text: str) -> None:
    assert rule(**fields).text == text


@pytest.mark.parametrize(
    "fields, refusal",
    [
        ({"value": "high"}, "value: got 'high'; allowed with >: a number"),
        ({"value": "nan"}, "value: got 'nan'"),
        ({"value": ""}, "value: got ''"),
        ({"how": "="}, "how: got '='; allowed: >, >=, <"),
        ({"how": "is"}, "how: got 'is'; of live/edge allowed: >, >=, <, <=, rises"),
        ({"what": "status"}, "how: got '>'; of status allowed: is, is not, changes"),
        ({"who": "session", "what": "event", "how": "is not"}, "of event allowed: is"),
        (
            {"who": "session", "what": "event", "how": "is", "value": "a gap"},
            f"value: got 'a gap'; allowed of event: {', '.join(CODES)}",
        ),
        ({"what": "event", "how": "is", "value": "gap"}, "who: got 'cnn'; allowed with event: ses"),
        ({"what": "status", "how": "is", "value": " "}, "value: got nothing; allowed with is"),
        ({"who": " "}, "who: got nothing"),
        ({"what": ""}, "what: got nothing"),
        ({"seconds": -1}, "seconds: got -1.0; allowed: 0 to 86400"),
        ({"seconds": "soon"}, "seconds: expected a number"),
        ({"who": "x" * 201}, "who: got 201 characters; allowed: 200"),
        ({"on": "maybe"}, "on: expected true or false"),
    ],
)
def test_a_rule_that_could_never_be_true_is_refused(fields: dict, refusal: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rule(**fields)
    assert refusal in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "how, value, now, before, true",
    [
        (">", "0", 0.1, None, True),
        (">", "0", 0.0, None, False),
        (">=", "0", 0.0, None, True),
        ("<", "-1", -1.5, None, True),
        ("<=", "1e3", 1000.0, None, True),
        ("rises", "", 3.0, 2.0, True),
        ("rises", "", 3.0, 3.0, False),
        ("rises", "", 3.0, None, False),
    ],
)
def test_numbers_are_compared(how, value, now, before, true) -> None:
    assert rule(how=how, value=value).is_true(now, before) == true


@pytest.mark.parametrize(
    "how, value, now, before, true",
    [
        ("is", "error", "ERROR", None, True),
        ("is", "ERROR", "IDLE", None, False),
        ("is not", "IDLE", "ERROR", None, True),
        ("changes", "", "3", "2", True),
        ("changes", "", "3", "3", False),
        ("changes", "", "3", None, False),
    ],
)
def test_texts_are_compared(how, value, now, before, true) -> None:
    assert rule(what="status", how=how, value=value).is_true(now, before) == true


# ---- states


def test_it_fires_once_it_has_been_true_for_so_long() -> None:
    patient = rule(seconds=10)
    evaluator = RuleEvaluator()
    assert transitions(evaluator, patient, *[1.0] * 5) == []
    assert [s.phase for s in evaluator.states.values()] == ["pending"]
    (change,) = transitions(evaluator, patient, 1.0, 1.0, start=10.0)
    assert (change.phase, change.text) == ("firing", "BTCUSDT cnn live/edge is 1")


def test_a_rule_without_a_length_fires_at_the_first_evaluation() -> None:
    assert phases(rule(), 1.0) == ["firing"]


def test_one_evaluation_of_something_else_begins_the_wait_anew() -> None:
    assert phases(rule(seconds=10), *[1.0] * 5, -1.0, *[1.0] * 5) == []


def test_what_is_not_known_neither_fires_nor_ends_anything() -> None:
    assert phases(rule(seconds=10), 1.0, *[None] * 100, 1.0) == []
    assert phases(rule(), 1.0, *[None] * 100) == ["firing"]


def test_time_without_evaluations_does_not_count() -> None:
    evaluator, patient = RuleEvaluator(), rule(seconds=600)
    evaluator.evaluate({"r": patient}, {EDGE: 1.0}, [], 0.0)
    assert evaluator.evaluate({"r": patient}, {EDGE: 1.0}, [], 10_000.0) == []
    (state,) = evaluator.states.values()
    assert state.lasted == LONGEST_STEP


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    evaluator = RuleEvaluator()
    evaluator.evaluate({"r": rule(seconds=4)}, {EDGE: 1.0}, [], 1e9)
    evaluator.evaluate({"r": rule(seconds=4)}, {EDGE: 1.0}, [], 0.0)
    assert [state.lasted for state in evaluator.states.values()] == [0.0]


def test_it_is_over_only_after_a_minute_of_quiet() -> None:
    assert phases(rule(), 1.0, *[-1.0] * 29) == ["firing"]
    assert phases(rule(), 1.0, *[-1.0] * 30) == ["firing", "resolved"]


@pytest.mark.parametrize("seconds, steady", [(0, 60), (300, 300), (7200, 600)])
def test_quiet_is_as_long_as_the_rule_within_bounds(seconds: float, steady: float) -> None:
    assert rule(seconds=seconds).steady_seconds == steady


def test_a_value_that_flaps_fires_once() -> None:
    assert phases(rule(), *[1.0, -1.0] * 500) == ["firing"]


def test_after_it_was_over_it_can_fire_again() -> None:
    quiet = [-1.0] * 30
    assert phases(rule(), 1.0, *quiet, 1.0, *quiet) == ["firing", "resolved"] * 2


@given(st.lists(st.sampled_from([1.0, -1.0, None]), max_size=200), st.integers(0, 20))
def test_firing_and_resolved_take_turns_however_a_value_moves(values, seconds) -> None:
    found = phases(rule(seconds=seconds), *values)
    assert found == [("firing", "resolved")[i % 2] for i in range(len(found))]
    true = [value == 1.0 for value in values]
    assert len(found) <= 1 + sum(a != b for a, b in itertools.pairwise(true))


def test_each_learner_and_symbol_has_a_state_of_its_own() -> None:
    evaluator, any_error = RuleEvaluator(), rule(who="any", what="status", how="is", value="ERROR")
    samples = {
        Series("BTCUSDT", "cnn", "status"): "ERROR",
        Series("ETHUSDT", "cnn", "status"): "IDLE",
        Series("BTCUSDT", "dqn", "status"): "ERROR",
        Series("BTCUSDT", "stream", "status"): "ERROR",
    }
    found = evaluator.evaluate({"r": any_error}, samples, [], 0.0)
    assert {change.series.subject for change in found} == {"BTCUSDT cnn", "BTCUSDT dqn"}
    samples[Series("ETHUSDT", "cnn", "status")] = "ERROR"
    (change,) = evaluator.evaluate({"r": any_error}, samples, [], 2.0)
    assert change.text == "ETHUSDT cnn status is ERROR"


def test_a_rule_of_one_symbol_is_not_about_others() -> None:
    assert phases(rule(symbol="ETHUSDT"), 1.0) == []


def test_a_rule_that_is_off_has_no_state() -> None:
    evaluator = RuleEvaluator()
    transitions(evaluator, rule(), 1.0)
    assert transitions(evaluator, rule(on=False), 1.0) == []
    assert evaluator.states == {}


# ---- what happens at once


def test_a_counter_that_rises_fires_each_time() -> None:
    gaps = Series("BTCUSDT", "stream", "gaps")
    found = transitions(
        RuleEvaluator(), rule("stream", "gaps", "rises"), 2.0, 2.0, 3.0, 3.0, 5.0, series=gaps
    )
    assert [change.text for change in found] == [
        "BTCUSDT stream gaps went from 2 to 3", "BTCUSDT stream gaps went from 3 to 5",
    ]  # fmt: skip


def test_a_champion_that_changes_fires_even_across_a_time_when_it_was_not_known() -> None:
    champion = Series("BTCUSDT", "cnn", "champion")
    found = transitions(
        RuleEvaluator(), DEFAULTS["champion"], "none", None, "3", "3", "2", series=champion
    )
    assert [change.text for change in found] == [
        "BTCUSDT cnn champion went from none to 3", "BTCUSDT cnn champion went from 3 to 2",
    ]  # fmt: skip


def event(code: str, text: str) -> Event:
    return Event(1.0, code, text)


def test_an_event_fires_by_its_code_and_is_quoted() -> None:
    evaluator, rules = RuleEvaluator(), {"r": DEFAULTS["leak"]}
    worded = event("cycle", "the permuted-label control is off chance: leak_alarm")
    assert evaluator.evaluate(rules, {EDGE: 1.0}, [worded], 0.0) == []
    events = [event("cycle", "cycle 4"), event("leak_alarm", "labels leak"), event("", "old")]
    (change,) = evaluator.evaluate(rules, {EDGE: 1.0}, events, 2.0)
    assert change.text == "labels leak"
    assert evaluator.evaluate(rules, {EDGE: 1.0}, [], 4.0) == []
    (again,) = evaluator.evaluate(rules, {EDGE: 1.0}, events[1:], 6.0)
    assert again.phase == "firing"


@pytest.mark.parametrize("name", [name for name in DEFAULTS if DEFAULTS[name].what == EVENT])
def test_a_default_rule_s_event_has_a_code(name: str) -> None:
    assert DEFAULTS[name].value in list(Code)


# ---- samples


CONFIG = SessionConfig(stale_seconds=60.0)


def session(state: str = "RUNNING", **tags: str) -> RunRecord:
    return RunRecord("s", state, tags, {"stream/overruns": 2.0}, 7)


def metrics(now: float = 1e12, **changes) -> SessionMetrics:
    run = RunRecord("r", "RUNNING", {"status": "IDLE"}, {"live/edge": 0.02}, 7)
    return dataclasses.replace(SessionMetrics(now, session(), {"BTCUSDT": {"cnn": run}}), **changes)


def samples(metrics: SessionMetrics, models=None, **counters) -> Samples:
    stream = dataclasses.replace(COUNTERS, **counters)
    streams = {"BTCUSDT": stream, "ETHUSDT": None}
    every = {what for _, what in names_of_samples(metrics, streams)}
    return collect_samples(metrics, streams, models, CONFIG, every)


def test_only_samples_that_rules_are_about_are_collected() -> None:
    streams = {"BTCUSDT": COUNTERS, "ETHUSDT": None}
    found = collect_samples(metrics(), streams, [], CONFIG, {"live/edge", "gaps"})
    assert {(series.who, series.what) for series in found} == {
        ("cnn", "live/edge"), ("stream", "gaps")
    }  # fmt: skip


def test_samples_are_metrics_statuses_and_counters() -> None:
    found = samples(metrics())
    assert found[EDGE] == 0.02
    assert found["BTCUSDT", "cnn", "status"] == "IDLE"
    assert found["BTCUSDT", "stream", "gaps"] == COUNTERS.gaps
    assert found["", "session", "stream/overruns"] == 2.0
    assert not [s for s in found if s.symbol == "ETHUSDT" or s.what == "lag_ms"], "not known"


@pytest.mark.parametrize(
    ("name", "counter", "least"),
    [("edge", "scored", 30), ("10m/accuracy", "10m/scored", 30), ("win_rate", "trades", 30),
     ("pnl_bps", "trades", 0), ("drawdown", "trades", 0)],
)  # fmt: skip
def test_a_mean_of_a_few_samples_is_not_looked_at(name: str, counter: str, least: int) -> None:
    def looked_at(n: int) -> bool:
        values = {f"live/{name}": 1.0, f"live/{counter}": float(n)}
        run = RunRecord("r", "RUNNING", {}, values, 7)
        found = samples(metrics(learners={"BTCUSDT": {"cnn": run}}))
        return ("BTCUSDT", "cnn", f"live/{name}") in found

    assert [n for n in (0, 2, 29, 30, 100) if looked_at(n)] == [
        n for n in (0, 2, 29, 30, 100) if n >= least
    ]


def test_champions_and_baselines_have_samples_too() -> None:
    run = RunRecord("b", "RUNNING", {"status": "ERROR"}, {"live/accuracy": 0.5}, 7)
    found = samples(metrics(baselines={"BTCUSDT": {"majority": run}}))
    assert found["BTCUSDT", "majority", "live/accuracy"] == 0.5
    assert found["BTCUSDT", "majority", "status"] == "ERROR"


def test_states_have_the_words_that_the_page_shows() -> None:
    flows, silent = samples(metrics(), silent_seconds=59.0), samples(metrics(), silent_seconds=61.0)
    for symbol, who in (("BTCUSDT", "stream"), ("", "session"), ("BTCUSDT", "cnn")):
        assert (flows[symbol, who, "state"], silent[symbol, who, "state"]) == ("live", "stalled")
    failing = RunRecord("r", "RUNNING", {"status": "ERROR"}, {"live/edge": 0.02}, 7)
    found = samples(metrics(learners={"BTCUSDT": {"cnn": failing}}))
    assert found["BTCUSDT", "cnn", "state"] == "failed"


def test_a_rule_from_before_states_had_one_word_is_taken_over() -> None:
    rule = Rule(who="stream", what="status", how="is", value="STALE")
    assert rule.text == "stream state is stalled"
    assert Rule(who="cnn", what="status", how="is", value="ERROR").text == "cnn status is ERROR"


def test_champions_are_those_of_the_registry() -> None:
    def model(aliases: list[str]) -> list[ModelRecord]:
        return [ModelRecord("tickloop-btcusdt-cnn", [VersionRecord(4, "r", 0.0, aliases, [])])]

    champion = Series("BTCUSDT", "cnn", "champion")
    assert samples(metrics(), model(["champion", "previous"]))[champion] == "4"
    assert samples(metrics(), model(["challenger"]))[champion] == "none"
    assert champion not in samples(metrics(), None), "not read yet"


def test_of_old_metrics_nothing_is_known_but_the_stream_is() -> None:
    found = samples(metrics(now=0.0))
    assert {series.who for series in found} == {"stream"}


def test_of_a_session_that_has_ended_nothing_is_known() -> None:
    ended = metrics(session=session("FINISHED", events='[{"ts": 5, "text": "x"}]'))
    assert samples(ended) == {}
    assert new_events(ended, 0.0) == []
    assert samples(SessionMetrics()) == {}


def test_events_are_evaluated_once() -> None:
    later = metrics(session=session(events='[{"ts": 5, "text": "a"}, {"ts": 6, "text": "b"}]'))
    assert [event.text for event in new_events(later, 5.0)] == ["b"]


def test_default_rules_are_on_and_fire_at_what_they_are_for() -> None:
    evaluator = RuleEvaluator(known={Series("BTCUSDT", "cnn", "champion"): "1"})
    found: list[Transition] = evaluator.evaluate(
        DEFAULTS,
        {
            Series("BTCUSDT", "cnn", "state"): "failed",
            Series("BTCUSDT", "cnn", "champion"): "2",
        },
        [event(Code.LEAK_ALARM, "labels leak, trust no score of this session")],
        0.0,
    )
    stalled: Samples = {Series("BTCUSDT", "stream", "state"): "stalled"}
    for at in (0.0, 10.0):
        found += evaluator.evaluate(DEFAULTS, stalled, [], at)
    assert {change.key.rule for change in found} == set(DEFAULTS)

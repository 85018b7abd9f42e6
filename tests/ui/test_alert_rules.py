"""Rules and their states, without a clock, a disk or a network."""

from __future__ import annotations

import dataclasses
import inspect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import KnobError
from tests.ui.test_page_views import COUNTERS
from trainers.engine import scorecard as scoreboard
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.alerts.facts import Facts, Series, events_of, facts_of
from ui.alerts.rules import DEFAULTS, Rule
from ui.alerts.watch import LONGEST_STEP, Change, Watch
from ui.metrics import Metrics

EDGE = Series("BTCUSDT", "cnn", "live/edge")
LOOK = 2.0  # seconds from one look to the next


def rule(who: str = "cnn", what: str = "live/edge", how: str = ">", value: str = "0", **more):
    return Rule(who=who, what=what, how=how, value=value, **more)


def changes(watch: Watch, rule: Rule, *values: float | str | None, series=EDGE, start=0.0):
    """Look at a series once every two seconds; return each look's changes. None: not known."""
    found = []
    for i, value in enumerate(values):
        facts: Facts = {} if value is None else {series: value}
        found += watch.look({"r": rule}, facts, [], start + LOOK * i)
    return found


def phases(rule: Rule, *values: float | str | None, **options) -> list[str]:
    return [change.phase for change in changes(Watch(), rule, *values, **options)]


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
        ({"who": "session", "what": "event", "how": "says", "value": "gap"},
         'session event says "gap"'),
        ({"who": " a\n b "}, "a b live/edge > 0"),
    ],
)  # fmt: skip
def test_a_rule_reads_as_it_is_said(fields: dict, text: str) -> None:
    assert rule(**fields).text == text


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"value": "high"}, "value: got 'high'; allowed with >: a number"),
        ({"value": "nan"}, "value: got 'nan'"),
        ({"value": ""}, "value: got ''"),
        ({"how": "="}, "how: got '='; allowed: >, >=, <"),
        ({"how": "is"}, "how: got 'is'; of live/edge allowed: >, >=, <, <=, rises"),
        ({"what": "status"}, "how: got '>'; of status allowed: is, is not, changes"),
        ({"what": "event", "how": "is"}, "of event allowed: says"),
        ({"what": "status", "how": "is", "value": " "}, "value: got nothing; allowed with is"),
        ({"who": " "}, "who: got nothing"),
        ({"what": ""}, "what: got nothing"),
        ({"seconds": -1}, "seconds: got -1.0; allowed: 0 to 86400"),
        ({"seconds": "soon"}, "seconds: expected a number"),
        ({"who": "x" * 201}, "who: got 201 characters; allowed: 200"),
        ({"on": "maybe"}, "on: expected true or false"),
    ],
)
def test_a_rule_that_could_never_be_true_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(KnobError) as refused:
        rule(**fields)
    assert said in str(refused.value)


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
    assert rule(how=how, value=value).holds(now, before) == true


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
    assert rule(what="status", how=how, value=value).holds(now, before) == true


# ---- states


def test_it_fires_once_it_has_been_true_for_so_long() -> None:
    patient = rule(seconds=10)
    watch = Watch()
    assert changes(watch, patient, *[1.0] * 5) == []
    assert [s.phase for s in watch.states.values()] == ["pending"]
    (change,) = changes(watch, patient, 1.0, 1.0, start=10.0)
    assert (change.phase, change.text) == ("firing", "BTCUSDT cnn live/edge is 1")


def test_a_rule_without_a_length_fires_at_the_first_look() -> None:
    assert phases(rule(), 1.0) == ["firing"]


def test_one_look_of_something_else_begins_the_wait_anew() -> None:
    assert phases(rule(seconds=10), *[1.0] * 5, -1.0, *[1.0] * 5) == []


def test_what_is_not_known_neither_fires_nor_ends_anything() -> None:
    assert phases(rule(seconds=10), 1.0, *[None] * 100, 1.0) == []
    assert phases(rule(), 1.0, *[None] * 100) == ["firing"]


def test_time_in_which_nobody_looked_does_not_count() -> None:
    watch, patient = Watch(), rule(seconds=600)
    watch.look({"r": patient}, {EDGE: 1.0}, [], 0.0)
    assert watch.look({"r": patient}, {EDGE: 1.0}, [], 10_000.0) == []
    (state,) = watch.states.values()
    assert state.held == LONGEST_STEP


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    watch = Watch()
    watch.look({"r": rule(seconds=4)}, {EDGE: 1.0}, [], 1e9)
    watch.look({"r": rule(seconds=4)}, {EDGE: 1.0}, [], 0.0)
    assert [state.held for state in watch.states.values()] == [0.0]


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
    watch, any_error = Watch(), rule(who="any", what="status", how="is", value="ERROR")
    facts = {
        Series("BTCUSDT", "cnn", "status"): "ERROR",
        Series("ETHUSDT", "cnn", "status"): "IDLE",
        Series("BTCUSDT", "dqn", "status"): "ERROR",
        Series("BTCUSDT", "stream", "status"): "ERROR",
    }
    found = watch.look({"r": any_error}, facts, [], 0.0)
    assert {change.series.text for change in found} == {"BTCUSDT cnn", "BTCUSDT dqn"}
    facts[Series("ETHUSDT", "cnn", "status")] = "ERROR"
    (change,) = watch.look({"r": any_error}, facts, [], 2.0)
    assert change.text == "ETHUSDT cnn status is ERROR"


def test_a_rule_of_one_symbol_does_not_look_at_others() -> None:
    assert phases(rule(symbol="ETHUSDT"), 1.0) == []


def test_a_rule_that_is_off_has_no_state() -> None:
    watch = Watch()
    changes(watch, rule(), 1.0)
    assert changes(watch, rule(on=False), 1.0) == []
    assert watch.states == {}


# ---- what happens at once


def test_a_counter_that_rises_fires_each_time() -> None:
    gaps = Series("BTCUSDT", "stream", "gaps")
    found = changes(Watch(), rule("stream", "gaps", "rises"), 2.0, 2.0, 3.0, 3.0, 5.0, series=gaps)
    assert [change.text for change in found] == [
        "BTCUSDT stream gaps went from 2 to 3", "BTCUSDT stream gaps went from 3 to 5",
    ]  # fmt: skip


def test_a_champion_that_changes_fires_even_across_a_time_when_it_was_not_known() -> None:
    champion = Series("BTCUSDT", "cnn", "champion")
    found = changes(Watch(), DEFAULTS["champion"], "none", None, "3", "3", "2", series=champion)
    assert [change.text for change in found] == [
        "BTCUSDT cnn champion went from none to 3", "BTCUSDT cnn champion went from 3 to 2",
    ]  # fmt: skip


def test_an_event_fires_when_it_is_said_and_quotes_that_line_alone() -> None:
    watch, says = Watch(), {"r": rule("session", "event", "says", "off chance")}
    assert watch.look(says, {EDGE: 1.0}, ["cycle 3 done"], 0.0) == []
    (change,) = watch.look(says, {EDGE: 1.0}, ["cycle 4 done", "it is OFF chance"], 2.0)
    assert change.text == "it is OFF chance"
    assert watch.look(says, {EDGE: 1.0}, [], 4.0) == []


# ---- facts


def session(state: str = "RUNNING", **tags: str) -> RunRecord:
    return RunRecord("s", state, tags, {"stream/overruns": 2.0}, 7)


def metrics(now: float = 1e12, **changes) -> Metrics:
    run = RunRecord("r", "RUNNING", {"status": "IDLE"}, {"live/edge": 0.02}, 7)
    return dataclasses.replace(Metrics(now, session(), {"BTCUSDT": {"cnn": run}}), **changes)


def facts(found: Metrics, models=None, **counters) -> Facts:
    stream = dataclasses.replace(COUNTERS, **counters)
    return facts_of(found, {"BTCUSDT": stream, "ETHUSDT": None}, models, 60.0)


def test_facts_are_metrics_statuses_and_counters() -> None:
    found = facts(metrics())
    assert found[EDGE] == 0.02
    assert found["BTCUSDT", "cnn", "status"] == "IDLE"
    assert found["BTCUSDT", "stream", "gaps"] == COUNTERS.gaps
    assert found["", "session", "stream/overruns"] == 2.0
    assert not [s for s in found if s.symbol == "ETHUSDT" or s.what == "lag_ms"], "not known"


def test_champions_and_baselines_have_facts_too() -> None:
    run = RunRecord("b", "RUNNING", {"status": "ERROR"}, {"live/accuracy": 0.5}, 7)
    found = facts(metrics(baselines={"BTCUSDT": {"majority": run}}))
    assert found["BTCUSDT", "majority", "live/accuracy"] == 0.5
    assert found["BTCUSDT", "majority", "status"] == "ERROR"


def test_a_silent_stream_is_stale() -> None:
    assert facts(metrics(), silent_seconds=61.0)["BTCUSDT", "stream", "status"] == "STALE"
    assert facts(metrics(), silent_seconds=59.0)["BTCUSDT", "stream", "status"] == "CONNECTED"


def test_champions_are_those_of_the_registry() -> None:
    def model(aliases: list[str]) -> list[ModelRecord]:
        return [ModelRecord("tickloop-btcusdt-cnn", [VersionRecord(4, "r", 0.0, aliases, [])])]

    champion = Series("BTCUSDT", "cnn", "champion")
    assert facts(metrics(), model(["champion", "previous"]))[champion] == "4"
    assert facts(metrics(), model(["challenger"]))[champion] == "none"
    assert champion not in facts(metrics(), None), "not read yet"


def test_of_old_metrics_nothing_is_known_but_the_stream_is() -> None:
    found = facts(metrics(now=0.0))
    assert {series.who for series in found} == {"stream"}


def test_of_a_session_that_has_ended_nothing_is_known() -> None:
    ended = metrics(session=session("FINISHED", events='[{"ts": 5, "text": "x"}]'))
    assert facts(ended) == {}
    assert events_of(ended, 0.0) == []
    assert facts(Metrics()) == {}


def test_events_are_heard_once() -> None:
    told = metrics(session=session(events='[{"ts": 5, "text": "a"}, {"ts": 6, "text": "b"}]'))
    assert [event.text for event in events_of(told, 5.0)] == ["b"]


def test_the_canary_rule_seeks_what_the_scoreboard_says() -> None:
    said = " ".join(inspect.getsource(scoreboard).split())
    assert DEFAULTS["canary"].value in said


def test_default_rules_are_on_and_fire_at_what_they_are_for() -> None:
    watch = Watch(known={Series("BTCUSDT", "cnn", "champion"): "1"})
    found: list[Change] = watch.look(
        DEFAULTS,
        {
            Series("BTCUSDT", "cnn", "status"): "ERROR",
            Series("BTCUSDT", "stream", "status"): "STALE",
            Series("BTCUSDT", "cnn", "champion"): "2",
        },
        ["the canary is off chance (log E 7.1 after 300 bars): labels leak"],
        0.0,
    )
    assert {change.key.rule for change in found} == set(DEFAULTS)

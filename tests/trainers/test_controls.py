from __future__ import annotations

from types import SimpleNamespace

import pytest

from trainers.engine.controls import RefusedError, apply_control


def lane_of(learners, baselines):
    learners, baselines = (
        [SimpleNamespace(learner=learner, confidence=0.65) for learner in some]
        for some in (learners, baselines)
    )
    return SimpleNamespace(
        paused=False,
        wanted=False,
        learners=learners,
        baselines=baselines,
        seats=[*learners, *baselines],
    )


def learners_of(lanes, name):
    return [seat.learner for lane in lanes for seat in lane.seats if seat.learner.name == name]


@pytest.fixture
def lanes():
    return [
        lane_of(
            [
                SimpleNamespace(name="cnn", learning_rate=1e-3),
                SimpleNamespace(name="dqn", learning_rate=1e-3, epsilon=1.0),
            ],
            [SimpleNamespace(name="majority", learning_rate=1e-3)],
        )
        for _ in range(2)
    ]


def ask(lanes, name, value=""):
    stopped = []
    said = apply_control(name, value, lanes, lambda: stopped.append(True))
    return said, bool(stopped)


def test_pause_and_resume_reach_every_symbol(lanes):
    assert ask(lanes, "pause") == ("training paused", False)
    assert all(lane.paused for lane in lanes)
    assert ask(lanes, "resume") == ("training goes on", False)
    assert not any(lane.paused for lane in lanes)


def test_train_now_asks_every_symbol_for_a_cycle(lanes):
    ask(lanes, "train_now")
    assert all(lane.wanted for lane in lanes)


def test_stop_stops(lanes):
    assert ask(lanes, "stop") == ("stopping", True)


def test_the_learning_rate_is_set_of_each_learner_that_has_one(lanes):
    ask(lanes, "learning_rate", "0.01")
    learners = learners_of(lanes, "cnn") + learners_of(lanes, "dqn")
    assert [learner.learning_rate for learner in learners] == [0.01] * 4


def test_a_baseline_learns_as_it_always_does(lanes):
    said, _ = ask(lanes, "learning_rate", "0.01")
    assert "majority" not in said
    assert {learner.learning_rate for learner in learners_of(lanes, "majority")} == {1e-3}


def test_epsilon_is_set_of_the_learner_that_has_one(lanes):
    said, _ = ask(lanes, "epsilon", "0.25")
    assert said.startswith("epsilon of dqn")
    assert [learner.epsilon for learner in learners_of(lanes, "dqn")] == [0.25, 0.25]
    assert not any(hasattr(learner, "epsilon") for learner in learners_of(lanes, "cnn"))


def test_the_confidence_is_that_of_every_learner_and_baseline(lanes):
    ask(lanes, "confidence", "0.8")
    assert [seat.confidence for lane in lanes for seat in lane.seats] == [0.8] * 6


@pytest.mark.parametrize(
    "name, value, allowed",
    [
        ("learning_rate", "-1", "1e-07 to 1"),
        ("learning_rate", "fast", "1e-07 to 1"),
        ("epsilon", "1.5", "0 to 1"),
        ("epsilon", "nan", "0 to 1"),
        ("confidence", "0.4", "0.5 to 1"),
        ("confidence", "", "0.5 to 1"),
        (
            "promote",
            "cnn",
            "start, pause, resume, train_now, stop, learning_rate, epsilon, confidence",
        ),
    ],
)
def test_what_is_out_of_range_or_unknown_is_refused_and_changes_nothing(
    lanes, name, value, allowed
):
    before = repr(lanes)
    with pytest.raises(RefusedError, match=rf"^control/{name}: .*allowed: {allowed}$"):
        ask(lanes, name, value)
    assert repr(lanes) == before

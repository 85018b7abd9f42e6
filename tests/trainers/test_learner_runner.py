"""The runner of one learner: what a failure changes, and until when."""

from __future__ import annotations

import types

import numpy as np

from streaming.bars import BAR
from streaming.events import Code
from trainers.engine.controls import has_learned
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import Forecast

BARS = np.zeros(2, BAR)


class Fragile:
    """Forecasts 0.5, unless it is broken; can be exported once it has learned of a move."""

    name, kind, version = "fragile", "forecaster", 0

    def __init__(self):
        self.broken, self.exported = False, None

    def forecast(self, bars):
        if self.broken:
            raise RuntimeError("broken")
        return Forecast(probability=0.5)

    def learn(self, snapshot):
        return {}

    def export(self):
        return self.exported

    @staticmethod
    def predict(model, bars):
        return 0.5


def failures(commands):
    return [one for one in commands if getattr(one, "code", None) == Code.LEARNER_FAILED]


def test_bars_before_its_turn_do_not_put_off_the_next_try():
    learner = Fragile()
    runner = LearnerRunner(learner, 0.55)
    learner.broken = True
    *_, told = runner.forecast(BARS, 1)
    assert (len(failures(told)), runner.rests_until) == (1, 2)
    # In cycle 2 another learner is trained first, and bars close meanwhile.
    for _ in range(3):
        *_, told = runner.forecast(BARS, 2)
        assert told == []
    assert list(runner.train(types.SimpleNamespace(cycle=2), announce=False)) == []
    assert (runner.rests_until, runner.version, runner.status) == (0, 2, "IDLE")


def test_a_new_version_of_a_champion_that_failed_begins_without_the_error():
    learner = Fragile()
    runner = LearnerRunner(learner, 0.55)
    learner.broken = True
    runner.forecast(BARS, 1)
    assert runner.status == "ERROR"
    runner.serve_version(3)
    assert (runner.status, runner.errors, runner.rests_until) == ("IDLE", 0, 0)
    *_, told = runner.forecast(BARS, 9)
    assert len(failures(told)) == 1  # a failure of this version is told of, too


def test_who_learned_from_bars_without_a_move_has_nothing_to_promote():
    learner = Fragile()
    runner = LearnerRunner(learner, 0.55)
    list(runner.train(types.SimpleNamespace(cycle=1), announce=False))
    assert (runner.version, has_learned(runner)) == (1, False)
    learner.exported = (object(), 60)
    assert has_learned(runner)

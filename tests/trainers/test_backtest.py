from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from datamodules.snapshot import NotEnoughBarsError
from tests.datamodules.samples import random_bars
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.learners.baselines.logistic import Logistic
from trainers.learners.cnn.learner import CNN
from trainers.learners.learner import Forecast
from trainers.learners.registry import learners_of

BARS = random_bars(330, flat=0.1)


def make(kind, config):
    (learner,) = learners_of(dataclasses.replace(config, learners=kind.name)).values()
    return learner


class Spy:
    """Writes down what it is shown."""

    name, kind = "spy", "forecaster"

    def __init__(self):
        self.learned, self.forecasts = [], []

    def forecast(self, bars):
        self.forecasts.append((len(bars), int(bars["final_seq"][-1])))
        return 0.25

    def learn(self, snapshot):
        self.learned.append((snapshot.cycle, snapshot.bars.copy()))


@pytest.mark.parametrize("kind", [CNN, Logistic])
@pytest.mark.parametrize("cut", [200, 231, 260, 299])
def test_no_forecast_depends_on_a_later_bar(kind, cut):
    config = SessionConfig.of(cnn_batch_size=32, history_bars=240)
    whole = forecasts_of(make(kind, config), BARS, config)
    early = forecasts_of(make(kind, config), BARS[:cut], config)
    assert early == whole[:cut]
    assert whole[200] is not None


def test_what_comes_later_may_be_anything():
    config = SessionConfig.of(cnn_batch_size=32)
    changed = BARS.copy()
    changed[270:] = random_bars(330, seed=9)[270:]
    one, other = (forecasts_of(make(CNN, config), bars, config) for bars in (BARS, changed))
    assert one[:270] == other[:270]
    assert one[270:] != other[270:]


def test_it_learns_every_cycle_from_the_newest_bars_and_forecasts_every_bar():
    spy = Spy()
    config = SessionConfig(cycle_seconds=60, history_bars=250)
    found = forecasts_of(spy, BARS, config)
    assert [cycle for cycle, _ in spy.learned] == [1, 2, 3]
    for known, (_, bars) in zip([200, 260, 320], spy.learned, strict=True):
        assert bars.tobytes() == BARS[max(0, known - 250) : known].tobytes()
    # The bar at whose close the first cycle begins is history.
    assert found == [None] * 200 + [Forecast(0.25)] * 130
    assert [newest for _, newest in spy.forecasts] == BARS["final_seq"][200:].tolist()
    assert max(n for n, _ in spy.forecasts) == 250


def test_a_learner_that_waits_for_bars_is_asked_again_in_the_next_cycle():
    asked = []

    class Late(Spy):
        def learn(self, snapshot):
            asked.append(len(snapshot.bars))
            raise NotEnoughBarsError(len(snapshot.bars), 999)

    forecasts_of(Late(), BARS, SessionConfig(cycle_seconds=30), first_cycle=100)
    assert asked == list(range(100, 331, 30))


def test_the_same_run_twice_gives_the_same_bits():
    config = SessionConfig.of(cnn_batch_size=32)
    once, again = (forecasts_of(make(CNN, config), BARS, config) for _ in range(2))
    assert once == again
    assert np.ptp([forecast.probability for forecast in once if forecast]) > 0

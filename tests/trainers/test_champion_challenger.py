"""A learner against its champion in a market: who forecasts which bar, and what is judged."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from streaming.events import Code
from tests.trainers.world import Spy, World, second, seconds_of
from trainers.recording.decision_log import read_decisions
from trainers.scoring.ledger import MADE, SILENT


class Exporting(Spy):
    """A learner that can have champions; a model of it is the probability that it gives."""

    @staticmethod
    def predict(model, bars):
        return model

    def export(self):
        return None, 5

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Truth(Exporting):
    """Knows the market of the tests: it goes up two seconds of three."""

    def forecast(self, bars):
        return 0.95 if (second(bars) + 1) % 3 else 0.05


@pytest.fixture
def make(tmp_path):
    with contextlib.ExitStack() as stack:

        def made(*learners, **settings):
            world = World(tmp_path, *learners, **settings)
            stack.callback(world.close)
            return world

        yield made


def test_of(world):
    (test,) = world.roster.tests
    return test


test_of.__test__ = False  # not one of ours


def install(world, version, model, challenge=1):
    world.install("spy", version, model, challenge)


def test_a_champion_is_silent_until_there_is_one_and_then_forecasts_every_bar(make):
    world = make(Exporting())
    world.run(30)
    install(world, 3, 0.7)
    world.run(10)
    install(world, 4, 0.2)  # a swap, between two bars
    world.run(10)
    rows = world.rows("spy.champion")
    assert seconds_of(rows) == list(range(19, 49))  # no bar is left out
    statuses = rows["status"].tolist()
    assert statuses == [SILENT] * 10 + [MADE] * 20
    assert rows["probability"][10:].tolist() == [0.7] * 10 + [0.2] * 10
    assert rows["version"][10:].tolist() == [3] * 10 + [4] * 10


def test_the_learner_is_judged_on_bars_after_its_champion_began_and_on_no_others(make):
    world = make(Truth(), cycle_seconds=10)
    world.run(100)
    install(world, 1, 0.5)
    world.run(60)
    verdict = test_of(world).verdict
    assert verdict.bars <= 60
    assert verdict.log_e > 0
    live = world.runner("spy").live
    assert live["promotion/log_e"] == verdict.log_e
    assert live["promotion/log_threshold"] == pytest.approx(np.log(2 / 0.05))


def test_a_better_learner_is_to_be_promoted(make):
    world = make(Truth(), cycle_seconds=10)
    world.run(20)
    install(world, 1, 0.5)
    world.run(60)
    assert test_of(world).verdict.decision == "promote"


def test_a_promotion_is_told_once_and_again_only_after_another_verdict(make):
    world = make(Truth(), cycle_seconds=10)
    world.run(20)
    install(world, 1, 0.5)
    world.run(120)
    assert test_of(world).verdict.decision == "promote"
    assert len(world.told(Code.PROMOTED)) == 1
    install(world, 2, 0.5, challenge=2)  # the next test begins anew
    world.run(120)
    assert test_of(world).verdict.decision == "promote"
    assert len(world.told(Code.PROMOTED)) == 2


def test_a_rollback_is_told_once(make):
    world = make(Truth(), baselines=[Truth("knows")], cycle_seconds=10)
    world.run(20)
    install(world, 1, 0.05)
    world.run(120)
    assert test_of(world).on_champion.decision == "rollback"
    assert len(world.told(Code.ROLLED_BACK)) == 1


def test_a_learner_that_says_what_its_champion_says_never_replaces_it(make):
    world = make(Exporting(says=0.6), cycle_seconds=10)
    world.run(20)
    install(world, 1, 0.6)
    world.run(120)
    assert test_of(world).verdict.decision == "wait"
    assert test_of(world).verdict.log_e <= 0


def test_nothing_is_judged_before_the_registry_was_read(make):
    world = make(Truth())
    world.run(60)
    assert test_of(world).verdict is None
    assert "promotion/log_e" not in world.runner("spy").live


def test_a_learner_without_exported_versions_has_no_champion(make):
    world = make(Spy())
    assert world.roster.tests == []
    assert [runner.name for runner in world.roster.everyone] == ["spy"]


def test_a_market_taken_up_again_has_its_champion_and_the_bar_it_began_at(make):
    world = make(Exporting())
    world.run(30)
    install(world, 5, 0.8, challenge=2)
    world.run(10)
    since = test_of(world).since
    world.reopen(Exporting())
    test = test_of(world)
    assert (test.version, test.since, test.challenge) == (5, since, 2)
    world.run(5)
    rows = world.rows("spy.champion")
    assert rows["version"][-5:].tolist() == [5] * 5
    assert rows["probability"][-5:].tolist() == [0.8] * 5


def test_a_market_s_standing_counts_from_the_beginning_whoever_is_champion(make):
    rivals = [Spy("even", says=0.5), Spy("wrong", says=0.2)]
    world = make(Truth(), baselines=rivals, cycle_seconds=10)
    world.run(60)
    before = world.done.standing["log_e"]
    install(world, 1, 0.5)
    world.run(10)
    after = world.done.standing["log_e"]
    assert test_of(world).verdict.bars <= 10
    assert 0 < before < after
    world.reopen(Truth(), baselines=rivals)
    world.run(10)
    assert world.done.standing["log_e"] > after
    found = [entry["standing"] for entry in read_decisions(world.folder / "BTCUSDT.decisions.jsonl")
             if entry["do"] == "end"]  # fmt: skip
    assert found[-1] == world.done.standing

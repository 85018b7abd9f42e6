"""Requests of operators: what they change in a market, and that each is carried out once."""

from __future__ import annotations

import json

import pytest

from streaming.events import Code
from tests.trainers.world import Spy, World
from trainers.engine.controls import ControlRefusedError
from trainers.engine.events import ControlGiven
from trainers.session.trainer.controls import ControlFile, ControlRequest, control_result
from trainers.session.trainer.session_part import Requests


class Adjusted(Spy):
    """Has numbers that an operator may change."""

    def __init__(self, name, *adjustable):
        super().__init__(name)
        self.adjustable, self.set = adjustable, {}

    def adjust(self, name, value):
        self.set[name] = value


@pytest.fixture
def world(tmp_path):
    made = World(
        tmp_path,
        Adjusted("cnn", "learning_rate", "confidence"),
        Adjusted("dqn", "learning_rate", "epsilon"),
        baselines=[Adjusted("majority", "learning_rate")],
    )
    yield made
    made.close()


def numbers(world):
    return {runner.name: runner.learner.set for runner in world.roster.everyone}


def test_pause_resume_and_a_cycle_asked_for(world):
    assert world.ask("pause") == "training paused"
    assert world.trainer.paused
    assert world.ask("resume") == "training goes on"
    assert not world.trainer.paused
    assert world.ask("train_now") == "a training cycle was asked for"
    assert world.trainer.wanted


def test_the_learning_rate_is_set_of_each_learner_that_has_one_and_of_no_baseline(world):
    assert world.ask("learning_rate", "0.01") == "learning rate of cnn, dqn is now 0.01"
    rate = {"learning_rate": 0.01}
    assert numbers(world) == {"cnn": rate, "dqn": rate, "majority": {}}


def test_epsilon_is_set_of_the_learner_that_has_one(world):
    assert world.ask("epsilon", "0.25") == "epsilon of dqn is now 0.25"
    assert numbers(world) == {"cnn": {}, "dqn": {"epsilon": 0.25}, "majority": {}}


def test_the_confidence_is_that_of_every_learner_and_baseline(world):
    world.ask("confidence", "0.8")
    assert [runner.confidence for runner in world.roster.everyone] == [0.8] * 3
    assert numbers(world)["cnn"] == {"confidence": 0.8}  # the signal in its model versions


@pytest.mark.parametrize(
    "name, value, allowed",
    [
        ("learning_rate", "-1", "1e-07 to 1"),
        ("learning_rate", "fast", "1e-07 to 1"),
        ("epsilon", "1.5", "0 to 1"),
        ("epsilon", "nan", "0 to 1"),
        ("confidence", "0.4", "0.5 to 1"),
        ("confidence", "", "0.5 to 1"),
        ("promote", "nobody", "nobody"),
        ("dance", "", "start, pause, resume, .*rollback"),
    ],
)
def test_what_is_out_of_range_or_unknown_is_refused_and_changes_nothing(
    world, name, value, allowed
):
    before = repr(numbers(world)), world.trainer.paused, world.trainer.wanted
    with pytest.raises(ControlRefusedError, match=rf"^control/{name}: .*allowed: {allowed}$"):
        world.trainer.check_control(ControlGiven(name, value))
    assert world.ask(name, value).startswith(f"refused control/{name}")
    assert (repr(numbers(world)), world.trainer.paused, world.trainer.wanted) == before


# ---- from the session's run to the markets


class Part:
    """Writes down what was answered."""

    def __init__(self):
        self.answers = []

    def answer(self, request, cycle, result, text, *, paused):
        self.answers.append((request.name, result, text, paused))


def carry_out(requests, world, part):
    told = []
    requests.carry_out([world.live], part, lambda code, text: told.append((code, text)))
    return told


def test_a_request_is_relayed_once_while_it_is_not_answered(tmp_path):
    file, reader = ControlFile(tmp_path), ControlFile(tmp_path)
    tags = {"control/pause": "", "status": "IDLE"}
    file.relay(tags)
    file.relay(tags)
    assert reader.requests() == [ControlRequest(1, "pause", "")]
    file.answered(reader.requests()[0])
    assert reader.requests() == []
    file.relay(tags)  # asked for anew, with the same value
    assert reader.requests() == [ControlRequest(2, "pause", "")]


def test_a_request_is_carried_out_and_answered_and_a_refused_one_too(world):
    requests, part = Requests(world.folder, lambda: None), Part()
    requests.begin([world.live])
    ControlFile(world.folder).relay({"control/pause": "", "control/epsilon": "7"})
    told = carry_out(requests, world, part)
    assert part.answers == [
        ("pause", "applied", "training paused", True),
        ("epsilon", "refused", "refused control/epsilon: got '7'; allowed: 0 to 1", True),
    ]
    assert [code for code, _ in told] == [Code.CONTROL] * 2
    assert carry_out(requests, world, part) == []


def test_a_trainer_started_again_carries_nothing_out_twice_and_forgets_nothing(world):
    requests, part = Requests(world.folder, lambda: None), Part()
    requests.begin([world.live])
    file = ControlFile(world.folder)
    file.relay({"control/train_now": ""})
    world.live.control(ControlGiven("train_now", ""), 1)  # killed here, before it was answered
    file.relay({"control/train_now": "", "control/pause": ""})
    world.reopen(*(runner.learner for runner in world.roster.learners),
                 baselines=[runner.learner for runner in world.roster.baselines])  # fmt: skip
    world.trainer.wanted = False
    requests = Requests(world.folder, lambda: None)
    requests.begin([world.live])
    carry_out(requests, world, part)
    assert [answer[:2] for answer in part.answers] == [
        ("train_now", "applied"), ("pause", "applied"),
    ]  # fmt: skip
    assert not world.trainer.wanted
    assert world.trainer.paused


def test_the_answer_tells_value_cycle_result_and_text():
    ((name, text),) = control_result(
        ControlRequest(3, "epsilon", "0.5"), 7, "applied", "done"
    ).items()
    assert name == "control_result/epsilon"
    found = json.loads(text)
    assert found.pop("ts") > 0
    assert found == {"value": "0.5", "cycle": 7, "result": "applied", "text": "done"}


def test_stop_stops_once(world):
    stopped = []
    requests, part = Requests(world.folder, lambda: stopped.append(True)), Part()
    requests.begin([world.live])
    ControlFile(world.folder).relay({"control/stop": ""})
    carry_out(requests, world, part)
    assert stopped == [True]
    assert part.answers[0][:3] == ("stop", "applied", "stopping")

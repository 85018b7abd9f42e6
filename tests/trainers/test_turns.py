"""Which aliases are looked at when."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainers.engine.commands import CandidateWanted
from trainers.promotion.candidate import FAILED
from trainers.promotion.controller import A_TURN, PromotionController
from trainers.recording.files import waiting_candidates


class Watcher:
    """Writes down which learners it is asked about."""

    def __init__(self):
        self.asked = []

    def know(self, *_):
        pass

    def look(self, learners):
        self.asked.append(list(learners))


def controller(n, session=Path("nowhere")):
    watcher = Watcher()
    made = PromotionController(session, lambda *_: "", watcher, lambda *_: None, list)
    made.begin({(f"M{i}", "cnn"): 0 for i in range(n)})
    return made, watcher


def test_all_aliases_are_looked_at_first_and_then_in_turns():
    made, watcher = controller(n=2 * A_TURN + 5)
    for _ in range(4):
        made.look()
    everyone, *turns = watcher.asked
    assert len(everyone) == 2 * A_TURN + 5
    assert [len(turn) for turn in turns] == [A_TURN] * 3
    assert {one for turn in turns for one in turn} == set(everyone), "each had its turn"


def wanted(cycle):
    return CandidateWanted("cnn", cycle, "hand", None, {}, np.zeros((2, 10)))


def test_who_waits_for_a_candidate_is_looked_at_each_time(tmp_path):
    made, watcher = controller(2 * A_TURN, tmp_path)
    made.promote("M5", "run", wanted(cycle=1))
    for _ in range(4):
        made.look()
    assert all(("M5", "cnn") in asked for asked in watcher.asked)
    assert all(len(asked) == len(set(asked)) for asked in watcher.asked)


def test_a_few_learners_are_looked_at_each_time():
    made, watcher = controller(n=3)
    made.look()
    made.look()
    assert [sorted(asked) for asked in watcher.asked] == [
        [("M0", "cnn"), ("M1", "cnn"), ("M2", "cnn")]
    ] * 2


def test_a_learner_has_one_candidate_at_a_time_until_it_is_champion_or_put_aside(tmp_path):
    made, _ = controller(1, tmp_path)
    made.promote("M0", "run", wanted(cycle=1))
    made.promote("M0", "run", wanted(cycle=2))
    (file,) = waiting_candidates(tmp_path, "M0")
    assert file.stem == "1"
    file.unlink()  # registered, but the watcher has not seen it yet
    made.promote("M0", "run", wanted(cycle=3))
    assert waiting_candidates(tmp_path, "M0") == []
    file.with_suffix(FAILED).touch()
    made.promote("M0", "run", wanted(cycle=4))
    assert [file.stem for file in waiting_candidates(tmp_path, "M0")] == ["4"]


def test_a_candidate_of_an_earlier_trainer_is_still_on_its_way(tmp_path):
    controller(1, tmp_path)[0].promote("M0", "run", wanted(cycle=1))
    made, _ = controller(1, tmp_path)
    made.promote("M0", "run", wanted(cycle=2))
    assert [file.stem for file in waiting_candidates(tmp_path, "M0")] == ["1"]

"""Which aliases are looked at when."""

from __future__ import annotations

from pathlib import Path

from trainers.promotion.controller import A_TURN, PromotionController


class Watcher:
    """Writes down which learners it is asked about."""

    def __init__(self):
        self.asked = []

    def know(self, *_):
        pass

    def look(self, learners):
        self.asked.append(list(learners))


def controller(n):
    watcher = Watcher()
    made = PromotionController(Path("nowhere"), lambda *_: "", watcher, lambda *_: None, list)
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


def test_who_waits_for_a_candidate_is_looked_at_each_time():
    made, watcher = controller(n=2 * A_TURN)
    made._coming["M5", "cnn"] = [None]
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

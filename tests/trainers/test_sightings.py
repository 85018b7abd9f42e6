"""What the head of a fleet makes of its looks: it is calm where one does not answer at once."""

from __future__ import annotations

from trainers.session.fleet.placement import next_move
from trainers.session.fleet.sightings import AFTER_ARRIVAL_SECONDS, Look, Sightings


def look(node, started=1.0, code=None):
    return Look(node * 8, "127.0.0.1", 42, code, started)


def said(texts):
    return [text.replace("runs on node ", "").replace(" (127.0.0.1)", "") for text in texts]


def test_where_each_shard_runs_is_said_once():
    sightings = Sightings(2)
    first = [look("a"), look("b")]
    assert said(sightings.add(first, 0)) == ["shard 1 of 2 aaaaaaaa", "shard 2 of 2 bbbbbbbb"]
    assert sightings.add(first, 1) == []


def test_a_shard_that_does_not_answer_for_a_moment_is_still_where_it_was():
    sightings = Sightings(2)
    sightings.add([look("a"), look("b")], 0)
    assert sightings.add([None, look("b")], 1) == []
    assert sightings.seen == [look("a"), look("b")]
    assert sightings.add([look("a"), look("b")], 2) == []


def test_a_shard_that_was_made_again_is_said_with_the_node_that_it_was_on():
    sightings = Sightings(1)
    sightings.add([look("a", started=1)], 0)
    sightings.add([None], 1)
    (text,) = said(sightings.add([look("b", started=5)], 3))
    assert text == "shard 1 of 1 bbbbbbbb, was on aaaaaaaa"
    (text,) = said(sightings.add([look("b", started=9)], 4))  # its actor was killed, not its node
    assert text == "shard 1 of 1 bbbbbbbb, was on bbbbbbbb"


def test_a_shard_that_fails_for_good_is_said_once():
    sightings = Sightings(1)
    sightings.add([look("a")], 0)
    (text,) = sightings.add([look("a", code=2)], 1)
    assert "ended for good, exit code 2" in text
    assert sightings.add([look("a", code=2)], 2) == []
    assert sightings.code == 2


def test_none_is_moved_until_all_have_been_where_they_are_for_a_while():
    sightings = Sightings(2)
    sightings.add([look("a"), look("a")], 100)
    assert sightings.movable(100 + AFTER_ARRIVAL_SECONDS - 1) == []
    assert sightings.movable(100 + AFTER_ARRIVAL_SECONDS) == ["aaaaaaaa", "aaaaaaaa"]
    sightings.add([look("a"), look("b", started=7)], 130)
    assert sightings.movable(131) == []
    assert sightings.movable(130 + AFTER_ARRIVAL_SECONDS) == ["aaaaaaaa", "bbbbbbbb"]


def test_none_is_moved_while_one_does_not_answer_or_has_ended():
    sightings = Sightings(2)
    sightings.add([look("a"), look("a")], 0)
    sightings.add([look("a"), None], 50)
    assert sightings.movable(50) == []
    sightings.add([look("a"), look("a")], 51)
    assert sightings.movable(51) == ["aaaaaaaa", "aaaaaaaa"]
    sightings.add([look("a"), look("a", code=0)], 52)
    assert sightings.movable(52) == []
    assert next_move(sightings.movable(52), ["aaaaaaaa", "bbbbbbbb"]) is None


def test_a_fleet_has_ended_once_every_shard_has_whatever_its_exit_code():
    sightings = Sightings(2)
    assert not sightings.all_ended
    sightings.add([look("a", code=0), None], 0)
    assert not sightings.all_ended
    sightings.add([None, look("b")], 1)
    assert not sightings.all_ended
    sightings.add([None, look("b", code=1)], 2)
    assert sightings.all_ended
    assert sightings.code == 1


def test_a_fleet_of_which_no_shard_was_ever_seen_has_failed():
    assert Sightings(2).code == 1

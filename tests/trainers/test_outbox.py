"""What MLflow has not taken yet: kept in a file, delivered in order, once to its reader."""

from __future__ import annotations

import math

import pytest

from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import CONFIG, DECISIONS, MARKET_OUTBOX, OUTBOX, of_market
from trainers.tracking.outbox import MOST_METRICS, Batch, Outbox, left_in
from trainers.tracking.tracker import Tracker
from trainers.tracking.uploads import leave_nothing_behind, undelivered


def batch(step, run="r"):
    return Batch(run, step, 1000 + step, {"a": step / 3}, {"status": f"cycle {step}"}, {})


@pytest.fixture
def path(tmp_path):
    return tmp_path / OUTBOX


@pytest.fixture
def run(client):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    return client.create_run(experiment).info.run_id


def history(client, run):
    return [(p.step, p.value) for p in client.get_metric_history(run, "a")]


def test_what_was_put_is_there_after_a_kill_in_order_and_with_every_bit(path):
    outbox = Outbox(path)
    for step in range(5):
        outbox.put(batch(step))
    # Killed here: nothing was closed.
    again = Outbox(path)
    found = again.next()
    assert found == [batch(step) for step in range(5)]
    again.delivered(found)
    assert path.stat().st_size == 0


def test_a_batch_torn_by_a_kill_is_left_out_and_does_not_spoil_the_next(path):
    Outbox(path).put(batch(1))
    with path.open("ab") as file:
        file.write(b'["r", 2, 10')
    outbox = Outbox(path)
    outbox.put(batch(3))
    assert left_in(path) == [batch(1), batch(3)]


def test_a_metric_that_is_no_number_survives(path):
    outbox = Outbox(path)
    outbox.put(Batch("r", 1, 1, {"a": math.nan, "b": math.inf}, {}, {}))
    (found,) = left_in(path)
    assert math.isnan(found.metrics["a"])
    assert found.metrics["b"] == math.inf


def test_a_tracker_started_again_delivers_what_the_one_before_could_not(client, run, path):
    Outbox(path).put(batch(1, run))
    tracker = Tracker(client)
    tracker.writer(path).log(run, 2, {"a": 2.0})
    assert tracker.close(20)
    assert history(client, run) == [(1, 1 / 3), (2, 2.0)]
    assert path.stat().st_size == 0


def test_a_point_delivered_twice_is_one_point(client, run, path):
    for _ in range(2):  # killed between delivery and the file's emptying
        Outbox(path).put(batch(1, run))
        tracker = Tracker(client)
        tracker.writer(path)
        assert tracker.close(20)
    assert history(client, run) == [(1, 1 / 3)]


def test_the_next_session_delivers_what_a_dead_one_left(client, run, tmp_path):
    session = tmp_path / run
    session.mkdir()
    SessionConfig(symbols="BTCUSDT,ETHUSDT").save(session / CONFIG)
    logs = [DecisionLog(of_market(session, m, DECISIONS)) for m in ("BTCUSDT", "ETHUSDT")]
    Outbox(of_market(session, "ETHUSDT", MARKET_OUTBOX)).put(batch(6, run))
    Outbox(session / OUTBOX).put(batch(7, run))
    logs[0].close()
    assert undelivered(tmp_path) == []  # a trainer is at work on the other market
    logs[1].close()
    assert undelivered(tmp_path) == [session]
    leave_nothing_behind(client, session)
    assert history(client, run) == [(6, 2.0), (7, 7 / 3)]
    assert undelivered(tmp_path) == []
    files = ["BTCUSDT.decisions.jsonl", "ETHUSDT.decisions.jsonl", "config.json"]
    found = [item.path for item in client.list_artifacts(run, "record")]
    assert found == [f"record/{name}" for name in files]


def test_tags_still_to_be_removed_are_known_until_they_are(path):
    outbox = Outbox(path)
    outbox.put(Batch("r", 0, 0, {}, {"control_result/pause": "{}"}, {"control/pause": "1"}))
    assert Outbox(path).clearing() == {("control/pause", "1")}
    outbox.delivered(outbox.next())
    assert outbox.clearing() == set()


def test_batches_of_one_run_go_together_as_far_as_a_request_holds_them():
    outbox = Outbox(None)
    big = {f"m{i}": 1.0 for i in range(MOST_METRICS // 2)}
    for step in range(3):
        outbox.put(Batch("r", step, 0, big, {"status": str(step)}, {}))
        outbox.put(Batch("s", step, 0, {"a": 1.0}, {}, {}))
    rounds = []
    while found := outbox.next():
        outbox.delivered(found)
        rounds.append([(batch.run, batch.step) for batch in found])
    assert rounds == [
        [("r", 0), ("r", 1)],
        [("s", 0), ("s", 1), ("s", 2)],
        [("r", 2)],
    ]


def test_a_tag_is_removed_after_what_was_put_before_it_and_before_what_came_later():
    outbox = Outbox(None)
    for step, clears in enumerate(({}, {"control/pause": "1"}, {})):
        outbox.put(Batch("r", step, 0, {}, {"status": str(step)}, clears))
    rounds = []
    while found := outbox.next():
        outbox.delivered(found)
        rounds.append([batch.step for batch in found])
    assert rounds == [[0], [1], [2]]


def test_what_was_put_during_a_delivery_stays():
    outbox = Outbox(None)
    outbox.put(batch(1))
    found = outbox.next()
    outbox.put(batch(2))
    outbox.delivered(found)
    assert outbox.next() == [batch(2)]

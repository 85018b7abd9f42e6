from __future__ import annotations

import contextlib
import math
import sqlite3
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from streaming.events import Code
from tests.trainers.recorder import DEADLINE, Recorder, eventually
from trainers.tracking.outbox import Batch, Outbox
from trainers.tracking.stores.delivery import deliver
from trainers.tracking.tracker import FEW_OUTBOXES, MOST_HELD_SECONDS, RunWriter, Tracker


@pytest.fixture
def run(client):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    return client.create_run(experiment).info.run_id


@pytest.fixture
def tracker(client, run):
    made = Tracker(client)
    yield made
    made.close(5)


def test_what_waits_for_the_store_goes_in_one_request_in_order_and_with_the_last_tag(caplog):
    store = Recorder()
    tracker = Tracker(store.client)
    writer = tracker.writer()
    for step in range(5):
        writer.log("r", step, {"a": step, "b": -step}, {"status": f"cycle {step}"})
    assert eventually(lambda: "does not answer" in caplog.text)
    assert not tracker.close(0)
    store.start()
    try:
        assert tracker.close(DEADLINE)
    finally:
        store.stop()
    (batch,) = store.batches
    points = [(m["step"], m["key"], m["value"]) for m in batch["metrics"]]
    assert points == [
        point for step in range(5) for point in ((step, "a", step), (step, "b", -step))
    ]
    assert batch["tags"] == [{"key": "status", "value": "cycle 4"}]


def test_with_many_markets_the_batches_of_a_cycle_go_in_one_request():
    store = Recorder()
    store.start()
    try:
        tracker = Tracker(store.client)
        writers = [tracker.writer() for _ in range(FEW_OUTBOXES + 1)]
        for run, writer in enumerate(writers):
            writer.log(f"r{run}", 1, {}, {"status": "TRAINING"})
            writer.log(f"r{run}", 1, {"a": 1.0}, {"status": "IDLE"})
        assert tracker.close(DEADLINE)
    finally:
        store.stop()
    assert sorted(batch["run_id"] for batch in store.batches) == [f"r{i}" for i in range(6)]
    assert {batch["tags"][0]["value"] for batch in store.batches} == {"IDLE"}


@pytest.fixture
def answering():
    store = Recorder()
    store.start()
    yield store
    store.stop()


def test_no_delivery_begins_while_it_is_held_back(answering):
    tracker = Tracker(answering.client)
    with tracker.held_back():
        tracker.writer().log("r", 1, {"a": 1.0})
        assert not eventually(lambda: answering.batches, MOST_HELD_SECONDS / 3)
    assert tracker.close(DEADLINE)
    assert len(answering.batches) == 1


def test_a_delivery_is_held_back_for_a_second_at_most(answering):
    tracker = Tracker(answering.client)
    with tracker.held_back():
        tracker.writer().log("r", 1, {"a": 1.0})
        assert eventually(lambda: answering.batches)
    assert tracker.close(DEADLINE)


def test_nothing_is_written_that_came_after_what_is_done_first():
    """A record travels first: what is logged meanwhile is of an entry that has not travelled."""
    store, done, late = Recorder(), [], []

    class Told(list):
        def append(self, body):
            done.extend(metric["key"] for metric in body["metrics"])

    def first():
        done.append("first")
        if writers and not late:
            late.append(writers[0].log("r", 2, {"late": 1.0}))

    store.batches = Told()
    store.start()
    writers = []
    try:
        tracker = Tracker(store.client, first=first)
        writers.append(tracker.writer())
        writers[0].log("r", 1, {"early": 1.0})
        assert eventually(lambda: {"early", "late"} <= {*done})
        assert tracker.close(DEADLINE)
    finally:
        store.stop()
    asked = done.index("first", done.index("early"))
    assert asked < done.index("late")


def test_tags_that_are_as_they_were_are_not_written_again():
    outbox = Outbox(None)
    writer = RunWriter(outbox, lambda: None)
    writer.log("r", 1, {"a": 1.0}, {"status": "IDLE", "text": "one"})
    writer.log("r", 2, {}, {"status": "IDLE", "text": "one"})
    writer.log("r", 3, {"a": 2.0}, {"status": "IDLE", "text": "two"})
    writer.log("s", 3, {}, {"status": "IDLE"})
    writer.log("r", 4, {}, {"text": "one"})
    found = []
    while batches := outbox.next():
        outbox.delivered(batches)
        found += [(batch.run, batch.step, batch.tags) for batch in batches]
    assert found == [
        ("r", 1, {"status": "IDLE", "text": "one"}), ("r", 3, {"text": "two"}),
        ("r", 4, {"text": "one"}), ("s", 3, {"status": "IDLE"}),
    ]  # fmt: skip


def test_logging_never_waits_for_a_store_that_is_away():
    tracker = Tracker(Recorder().client)
    writer = tracker.writer()
    started = time.perf_counter()
    for step in range(1000):
        writer.log("r", step, {"a": 1.0})
    assert time.perf_counter() - started < 5
    assert not tracker.close(0.05)


def test_what_was_logged_while_another_process_locked_the_store_is_delivered(root, run, client):
    locked = MlflowClient(f"sqlite:///{root / 'mlflow.db'}?timeout=0.1")
    tracker = Tracker(locked)
    writer = tracker.writer()
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as other:
        other.execute("begin immediate")
        for step in range(3):
            writer.log(run, step, {"a": step})
        assert not tracker.close(0.5)
        other.rollback()
    assert tracker.close(DEADLINE)
    assert [(m.step, m.value) for m in client.get_metric_history(run, "a")] == [
        (0, 0), (1, 1), (2, 2),
    ]  # fmt: skip


def test_metrics_and_tags_reach_the_run_at_their_step(tracker, client, run):
    writer = tracker.writer()
    writer.log(run, 7, {"train/loss": 0.25}, {"status": "IDLE"})
    assert tracker.close(DEADLINE)
    data = client.get_run(run).data
    assert data.metrics == {"train/loss": 0.25}
    assert data.tags["status"] == "IDLE"
    assert client.get_metric_history(run, "train/loss")[0].step == 7
    assert tracker.write_seconds > 0


@pytest.mark.parametrize("poison", ["bad name", "deleted run"])
def test_what_the_store_refuses_for_good_does_not_hold_up_the_rest(client, run, poison):
    if poison == "bad name":
        other, name = run, "accuracy in %"
    else:
        other = client.create_run(client.get_run(run).info.experiment_id).info.run_id
        client.delete_run(other)
        name = "a"
    tracker = Tracker(client)
    writer = tracker.writer()
    writer.log(other, 1, {name: 1.0})
    writer.log(run, 1, {"after": 2.0})
    assert tracker.close(1.5)
    assert client.get_run(run).data.metrics["after"] == 2.0


def test_each_writer_has_an_outbox_of_its_own_and_all_are_delivered(tracker, client, run, tmp_path):
    paths = [tmp_path / name for name in ("BTCUSDT.outbox.jsonl", "ETHUSDT.outbox.jsonl")]
    for i, path in enumerate(paths):
        tracker.writer(path).log(run, 1, {f"a{i}": float(i)})
    assert tracker.close(DEADLINE)
    assert client.get_run(run).data.metrics == {"a0": 0.0, "a1": 1.0}
    assert [path.stat().st_size for path in paths] == [0, 0]


def test_work_of_each_second_and_tasks_are_done_in_the_thread(tracker):
    done = []
    tracker.each_second(lambda: done.append(threading.current_thread().name))
    tracker.task(lambda: done.append("once"))
    assert eventually(lambda: "once" in done and "tracker" in done)


def test_a_task_that_fails_holds_up_no_other_and_all_are_done_at_the_end(tracker, client, caplog):
    done = []
    tracker.task(lambda: 1 / 0)
    tracker.task(lambda: client.get_run("0" * 32))  # the store refuses it for good
    tracker.task(lambda: done.append(time.sleep(0.05)))
    tracker.task(lambda: done.append("last"))
    assert tracker.close(DEADLINE)
    assert done == [None, "last"]
    assert "division by zero" in caplog.text
    assert "refused a task" in caplog.text


# ---- what the store refuses of a batch


def refused_by(client, run, metrics, tags=None, clears=None):
    """What the store refuses of a batch, and the run after it."""
    batch = Batch(run, 1, 1000, metrics, tags or {}, clears or {})
    return set(deliver(client, [batch])), client.get_run(run).data


def test_a_bad_name_takes_no_other_of_its_batch_along(client, run):
    odd = {"acc%": 1.0, "a//b": 2.0, "x" * 300: 3.0}
    good = {f"good {i}": float(i) for i in range(20)}
    tags = {"status": "IDLE", "ba\td": "x"}
    refused, data = refused_by(client, run, {**good, **odd, "last": 1.0}, tags)
    assert refused >= set(odd)
    assert data.metrics == {**good, "last": 1.0}
    assert data.tags["status"] == "IDLE"


def test_thousands_of_metrics_are_logged_whole(client, run):
    many = {f"m{i}": float(i) for i in range(1500)}
    refused, data = refused_by(client, run, {**many, "acc%": 1.0})
    assert (refused, data.metrics) == ({"acc%"}, many)


def test_a_request_s_tag_is_removed_though_something_beside_it_is_refused(client, run):
    client.set_tag(run, "control/stop", "1")
    refused, data = refused_by(client, run, {"acc%": 1.0}, clears={"control/stop": "1"})
    assert refused == {"acc%"}
    assert "control/stop" not in data.tags


def test_a_text_that_is_half_a_character_is_logged_and_holds_up_nothing(client, run):
    refused, data = refused_by(client, run, {"a": 1.0}, {"status_text": "bad \ud800 and \0"})
    assert (refused, data.metrics) == (set(), {"a": 1.0})
    assert data.tags["status_text"] == "bad ? and ?"


def test_values_of_any_size_are_logged(client, run):
    refused, data = refused_by(client, run, {"nan": math.nan, "inf": math.inf, "small": 5e-324})
    assert refused == set()
    assert data.metrics["small"] == 5e-324


def test_a_refusal_is_told_once(client, run):
    told = []
    tracker = Tracker(client, lambda *event: told.append(event))
    writer = tracker.writer()
    for step in range(3):
        writer.log(run, step, {"acc%": 1.0, "good": 2.0})
    assert tracker.close(DEADLINE)
    ((code, text),) = told
    assert code == Code.METRIC_REFUSED
    assert text.startswith(f"the MLflow store refuses acc% of run {run[:8]}, the rest is logged (")
    assert len(client.get_metric_history(run, "good")) == 3


def test_a_run_that_is_gone_is_refused_without_a_look_at_each_metric(client, run):
    client.delete_run(run)
    batch = Batch(run, 1, 1000, {f"m{i}": 1.0 for i in range(500)}, {}, {})
    started = time.process_time()
    assert len(deliver(client, [batch])) == 500
    assert time.process_time() - started < 2


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.text(max_size=6), st.floats(), max_size=6))
def test_of_any_batch_the_good_part_is_logged(client, metrics):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    run = client.create_run(experiment).info.run_id
    refused, data = refused_by(client, run, {**metrics, "good": 1.0})
    assert set(data.metrics) == {*metrics, "good"} - refused
    assert "good" not in refused

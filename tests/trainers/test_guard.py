"""A trainer of a fleet: its record travels, then its epochs are looked at, then MLflow is told."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.trainers.recorder import DEADLINE, Recorder, eventually
from tests.trainers.world import SYMBOL
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, OURS, RECORD, TAPE, of_market
from trainers.recording.travel.market_files import ROWS, TICKS
from trainers.recording.travel.parts import PART_BYTES
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.tracker import Tracker
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.guard import Guard
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.takeover import MAKERS, take_over
from trainers.tracking.travel.travelled import travelled


class Machine:
    """A machine that has the market: its log, and the guard of its trainer."""

    def __init__(self, client, folder):
        self.run = start_session(client, SessionConfig(), folder)
        self.folder = folder / "machine" / self.run
        self.folder.mkdir(parents=True)
        address = client.get_run(self.run).info.artifact_uri
        self.record = Path(urlsplit(address).path) / RECORD
        self.objects = objects_at(address)
        self.epochs = Epochs(client.tracking_uri, self.run)
        epoch = take_over(
            self.epochs, self.objects, SYMBOL, self.folder, SessionConfig(), "us", first=True
        )
        (self.folder / OURS).write_text(json.dumps({SYMBOL: epoch}))
        self.guard = Guard(client, self.folder, [SYMBOL], SYMBOL)
        self.log = DecisionLog(of_market(self.folder, SYMBOL, DECISIONS))

    def in_the_store(self):
        """What the store has of the market's log."""
        found = travelled(self.objects, SYMBOL)
        return found.read(self.objects, f"{SYMBOL}{DECISIONS}").decode()

    def parts_of_ticks(self):
        return travelled(self.objects, SYMBOL).parts[f"{SYMBOL}{TICKS}"][1]


@pytest.fixture
def machine(client, tmp_path):
    made = Machine(client, tmp_path)
    with contextlib.closing(made.log):
        yield made


class Batches(list):
    """The batches that MLflow gets, each with what the store had of the log when it came."""

    def __init__(self, machine):
        self.machine = machine

    def append(self, body):
        names = {metric["key"] for metric in body["metrics"]}
        super().append((names, self.machine.in_the_store()))


@pytest.fixture
def mlflow(machine):
    recorder = Recorder()
    recorder.batches = Batches(machine)
    recorder.start()
    yield recorder
    recorder.stop()


def test_when_a_metric_is_written_its_entry_is_in_the_store_already(machine, mlflow):
    tracker = Tracker(mlflow.client, first=machine.guard.go)
    writer = tracker.writer()
    for name in ("one", "two", "three"):
        machine.log.write("verdict", of=name)
        writer.log(machine.run, 1, {name: 1.0})
    assert tracker.close(DEADLINE)
    assert {name for names, _ in mlflow.batches for name in names} == {"one", "two", "three"}
    for names, stored in mlflow.batches:
        assert all(f'"{name}"' in stored for name in names)


def test_while_a_record_cannot_travel_nothing_is_written_and_nothing_is_lost(
    machine, mlflow, caplog
):
    away = machine.record.rename(machine.record.with_name("away"))
    machine.record.write_text("no folder: nothing can be put here")
    tracker = Tracker(mlflow.client, first=machine.guard.go)
    machine.log.write("verdict", of="late")
    tracker.writer().log(machine.run, 1, {"late": 1.0})
    assert eventually(lambda: "does not answer" in caplog.text)
    assert mlflow.batches == []
    machine.record.unlink()
    away.rename(machine.record)
    assert tracker.close(DEADLINE)
    ((names, stored),) = mlflow.batches
    assert names == {"late"}
    assert '"late"' in stored


def test_the_epoch_is_looked_at_after_the_record_has_travelled(machine):
    """Between the look and the write lies as little as can be: a record may take long to travel."""
    machine.log.write("verdict", of="before")
    machine.guard.go()
    machine.epochs.take(SYMBOL, "another")
    machine.log.write("verdict", of="after")
    with pytest.raises(ReplacedError, match="another process has taken the market over"):
        machine.guard.go()
    assert '"after"' in machine.in_the_store()  # of the older epoch: who has taken over leaves it


def test_who_was_replaced_deletes_no_rows_which_the_next_may_be_reading(machine):
    rows = np.zeros(3 * PART_BYTES // ROWS[TICKS].itemsize, ROWS[TICKS])
    with contextlib.closing(MAKERS[TICKS](machine.folder, SYMBOL, len(rows))) as ring:
        ring.append(rows)
    machine.guard.go()
    before = machine.parts_of_ticks()
    segment = f"{SYMBOL}-{0:012d}-{len(rows):012d}.parquet"
    machine.log.write("segment", name=segment, sha256="")
    machine.objects.put(f"{RECORD}/{TAPE}/{segment}", b"")
    machine.epochs.take(SYMBOL, "another")
    with pytest.raises(ReplacedError):
        machine.guard.go()
    assert machine.parts_of_ticks() == before
    assert len(before) > 1


def test_a_guard_that_is_made_after_its_market_was_taken_over_is_refused(client, machine):
    machine.epochs.take(SYMBOL, "another")
    with pytest.raises(ReplacedError, match="epoch 1, the store has 2"):
        Guard(client, machine.folder, [SYMBOL], SYMBOL)

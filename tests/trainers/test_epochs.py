"""A market has one writer: whoever raised its epoch last. Real processes, a real database."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from streaming.errors import TickloopError
from tests.trainers.world import SYMBOL
from trainers.config import SessionConfig
from trainers.recording.files import DECISIONS
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.travelled import travelled

ROOT = Path(__file__).parents[2]

# A holder of a market: it writes an entry and a metric for each line that it is given.
HOLDER = """
import json, sys
from pathlib import Path
from mlflow.tracking import MlflowClient
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, of_market
from trainers.tracking.tracker import Tracker
from trainers.tracking.travel.epochs import Epochs
from trainers.recording.files import OURS
from trainers.tracking.travel.guard import Guard
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.takeover import take_over

uri, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
folder.mkdir(parents=True)
client = MlflowClient(uri)
objects = objects_at(client.get_run(folder.name).info.artifact_uri)
epochs = Epochs(uri, folder.name)
epoch = take_over(epochs, objects, "BTCUSDT", folder, SessionConfig(), name, first=True)
(folder / OURS).write_text(json.dumps({"BTCUSDT": epoch}))
guard = Guard(client, folder, ["BTCUSDT"], "BTCUSDT")
tracker = Tracker(client, first=guard.go_or_end)
writer = tracker.writer()
log = DecisionLog(of_market(folder, "BTCUSDT", DECISIONS))
print("has", epoch, flush=True)
for step, line in enumerate(sys.stdin):
    log.write("verdict", by=name, line=line.strip())
    writer.log(folder.name, step, {f"by_{name}": 1.0})
    while tracker.behind:
        pass
    print("wrote", line.strip(), flush=True)
"""


class Holder:
    def __init__(self, client, folder, name):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, client.tracking_uri, str(folder), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=ROOT,
        )  # fmt: skip

    def says(self):
        return self.process.stdout.readline().strip()

    def asks(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        return self.process.communicate()


def test_who_was_stopped_and_replaced_writes_nothing_that_others_read(client, tmp_path):
    run = start_session(client, SessionConfig(), tmp_path)
    old = Holder(client, tmp_path / "old" / run, "old")
    new = None
    try:
        assert old.says() == "has 1"
        old.asks("first")
        assert old.says() == "wrote first"
        old.process.send_signal(signal.SIGSTOP)
        new = Holder(client, tmp_path / "new" / run, "new")
        assert new.says() == "has 2"
        new.asks("second")
        assert new.says() == "wrote second"
        old.asks("third")  # it has this before it has looked at anything
        old.process.send_signal(signal.SIGCONT)
        assert old.process.wait(180) == 2
        assert "another process has taken the market over" in old.process.stderr.read()
        new.asks("fourth")
        assert new.says() == "wrote fourth"
        objects = objects_at(client.get_run(run).info.artifact_uri)
        found = travelled(objects, SYMBOL).read(objects, f"{SYMBOL}{DECISIONS}")
        lines = [line for line in found.decode().splitlines() if "line" in line]
        assert [("first" in one, "second" in one, "fourth" in one) for one in lines] == [
            (True, False, False), (False, True, False), (False, False, True)
        ]  # fmt: skip
        metrics = client.get_run(run).data.metrics
        assert metrics == {"by_old": 1.0, "by_new": 1.0}
        assert len(client.get_metric_history(run, "by_old")) == 1
    finally:
        for holder in filter(None, (old, new)):
            holder.end()


def test_of_two_that_take_a_market_at_once_one_gets_it(tmp_path):
    uri, got, lost = f"sqlite:///{tmp_path}/store.db", [], []
    Epochs(uri, "run").take(SYMBOL, "somebody")
    barrier = threading.Barrier(2)

    def take(name):
        barrier.wait()
        try:
            got.append(Epochs(uri, "run").take(SYMBOL, name))
        except ReplacedError:
            lost.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == len(got)
    assert Epochs(uri, "run").now() == {SYMBOL: max(got)}


def test_epochs_of_sessions_and_markets_are_their_own(tmp_path):
    uri = f"sqlite:///{tmp_path}/store.db"
    assert [Epochs(uri, "a").take(market, "x") for market in ("A", "A", "B")] == [1, 2, 1]
    assert Epochs(uri, "b").take("A", "y") == 1
    assert Epochs(uri, "a").holders() == {"A": (2, "x"), "B": (1, "x")}


def test_an_mlflow_server_is_refused_with_what_to_give_instead():
    with pytest.raises(TickloopError, match=r"no conditional write.*postgresql\+psycopg://"):
        Epochs("http://127.0.0.1:5000", "run")


def test_a_database_that_has_no_epochs_yet_is_used_by_mlflow_as_before(client):
    Epochs(client.tracking_uri, "run").take(SYMBOL, "x")
    assert MlflowClient(client.tracking_uri).search_experiments()

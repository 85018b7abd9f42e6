"""A fleet on a real Ray cluster: its head is killed, then the node that has the markets."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from benchmarks.processes import plain_environment, words_of
from streaming.cache import tick_cache
from streaming.ticks import NS_PER_S, TICK
from tests.end_to_end.main_job import MainJob, replayed, wait_for
from trainers.recording.decision_log import cycles_ended, read_decisions
from trainers.recording.files import DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.scoring.ledger import MISSED
from trainers.session.fleet.cluster import ENVIRONMENT
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.travelled import travelled

MARKETS = ["AAAUSDT", "BBBUSDT"]
PATIENCE = 400.0  # of a machine with load 30
CYCLES = 9


# A head that takes no shard, and two nodes that take one each. A line says which one is lost.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
from trainers.session.fleet.cluster import SYSTEM, STORE_BYTES

small = {"object_store_memory": STORE_BYTES}
head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SYSTEM, **small}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
print(cluster.address, *(n.all_processes["raylet"][0].process.pid for n in nodes), flush=True)
for line in sys.stdin:
    cluster.remove_node(nodes[int(line)], allow_graceful=False)
    print("lost", flush=True)
cluster.shutdown()
"""


class ThreeNodes:
    """A cluster of three nodes on this machine.

    Attributes:
        address: its address.
        environment: that of all who work with it.
        raylets: the process of each node that takes shards.
    """

    def __init__(self, folder):
        token = folder / "token"
        token.touch(0o600)
        token.write_text(secrets.token_hex(32))
        self.environment = plain_environment() | ENVIRONMENT | {"RAY_AUTH_TOKEN_PATH": str(token)}
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CLUSTER], env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.address, *pids = self.process.stdout.readline().split()
        self.raylets = [psutil.Process(int(pid)) for pid in pids]

    def lose(self, raylet):
        self.process.stdin.write(f"{self.raylets.index(raylet)}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "lost\n"

    def every(self):
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]


@pytest.fixture
def cluster(tmp_path):
    nodes = ThreeNodes(tmp_path)
    every = nodes.every()
    try:
        yield nodes
    finally:
        every += nodes.every()
        nodes.process.communicate(timeout=60)
        for process in psutil.wait_procs(every, 20)[1]:
            process.kill()


def shard_processes(run):
    """What stands for the shards' processes, as children of their actors."""
    return [
        process
        for process in psutil.process_iter()
        if {"trainers.session.fleet.node.forked", "trainers.session.fleet.node.shard", run}
        <= set(words_of(process))
    ]


def copies_are_ahead(session, objects):
    """Whether the head has ticks that the store has not: it has them from their node."""
    had = tick_cache(session, MARKETS[0]).committed * TICK.itemsize
    found = travelled(objects, MARKETS[0])
    return bool(found.newest) and had > found.size(f"{MARKETS[0]}.ticks")


def listening(processes):
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            sockets = [one for one in process.net_connections() if one.status == "LISTEN"]
            found |= {one.laddr.ip.removeprefix("::ffff:") for one in sockets}  # IPv4 within IPv6
    return found


def test_a_fleet_outlives_its_head_and_a_node_and_replays(tmp_path, cluster):
    folder = tmp_path / "project"
    folder.mkdir()
    settings = {"symbols": ",".join(MARKETS), "shards": 1, "learners": "cnn", "cnn_updates": 1,
                "min_ticks": 50, "backfill_seconds": 120, "cycle_seconds": 10, "cycles": CYCLES,
                "parity": "false", "address": cluster.address}  # fmt: skip
    fleet = {"module": "trainers.session.fleet", "environment": cluster.environment}

    with MainJob(folder, **fleet, **settings) as job:
        session = job.session_folder()
        logs = [of_market(session, market, DECISIONS) for market in MARKETS]
        wait_for(lambda: all(cycles_ended(log) for log in logs), "a cycle in the copies", PATIENCE)
        objects = objects_at(job.client.get_run(session.name).info.artifact_uri)
        wait_for(lambda: copies_are_ahead(session, objects), "a copy's lead", PATIENCE)
        (shard,) = shard_processes(session.name)
        for process in job.processes():  # the head and all of its own are gone at once
            process.kill()
    epochs = Epochs(job.client.tracking_uri, session.name)
    assert epochs.now() == dict.fromkeys(MARKETS, 1)

    with MainJob(folder, resume="last", cycles=CYCLES, address=cluster.address, **fleet) as job:
        done = cycles_ended(logs[0])
        wait_for(lambda: cycles_ended(logs[0]) > done, "a cycle after the head", PATIENCE)
        assert shard_processes(session.name) == [shard], "the head has found its actor"
        assert listening([*job.processes(), *cluster.every()]) == {"127.0.0.1"}
        (lost,) = set(cluster.raylets) & set(shard.parents())
        cluster.lose(lost)
        at, lost_at = time.monotonic(), [cycles_ended(log) for log in logs]
        wait_for(lambda: epochs.now() == dict.fromkeys(MARKETS, 2), "the next epoch", PATIENCE)
        print(f"taken over after {time.monotonic() - at:.1f} s, load {os.getloadavg()[0]:.0f}")
        said = job.finish(PATIENCE)
        assert job.process.returncode == 0, said
    assert "was on" in said
    for log, before in zip(logs, lost_at, strict=True):
        entries = read_decisions(log)
        assert [entry["do"] for entry in entries].count("began") == 2
        ends = [entry["cycle"] for entry in entries if entry["do"] == "end"]
        assert ends == list(range(1, CYCLES + 1))
        assert before < CYCLES
    for market in MARKETS:
        _, outcomes, forecasts = read_ledger(session, market)
        assert set(np.diff(outcomes["bar"])) == {NS_PER_S}  # no bar lost, none twice
        assert (forecasts["status"] == MISSED).any()  # while nobody had the market
    code, out, err = replayed(folder, "--session", session.name, "--runs", "false")
    assert code == 0, err + out
    assert out.splitlines()[-1].startswith(f"identical: {2 * CYCLES} cycles, ")

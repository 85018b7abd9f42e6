"""The actors of a fleet on a real Ray of one node: found, looked at, moved. Their shards fail."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.processes import plain_environment, words_of
from tests.end_to_end.main_job import wait_for
from trainers.session.processes.programs import FORKED

ROOT = Path(__file__).parents[2]
RUN = secrets.token_hex(16)  # of which no store knows, nor an earlier test

# A head's part: it does what each line says and prints what each actor says of itself.
HEAD = """
import json, os, sys
from pathlib import Path
from trainers.session.fleet.cluster import STORE_BYTES, LocalRay
from trainers.session.fleet.placement import ShardMove
from trainers.session.fleet.shards import Shards

def join(address):
    from ray._private.node import Node  # after Ray's environment is set
    from ray._private.parameter import RayParams
    params = RayParams(gcs_address=address, node_ip_address="127.0.0.1", num_cpus=1, num_gpus=0,
                       object_store_memory=STORE_BYTES, min_worker_port=0, max_worker_port=0,
                       node_manager_port=0, include_log_monitor=False)
    params.dashboard_agent_listen_port = None
    return Node(params, head=False, shutdown_at_exit=False, spawn_reaper=False)

def interrupted_move(node):
    # As a head does that is killed before it takes the actor away.
    import ray
    def killed(*_, **__):
        raise KeyboardInterrupt
    kill, ray.kill = ray.kill, killed
    try:
        shards.move(ShardMove(0, node), seconds=60)
    except KeyboardInterrupt:
        return True
    finally:
        ray.kill = kill

def room_on(node):
    from ray._private.state import available_resources_per_node
    return available_resources_per_node().get(node, {}).get("CPU", 0)

answers, folder = os.fdopen(os.dup(1), "w"), Path(sys.argv[1])
os.dup2(2, 1)
ray = LocalRay(folder, cpus=1)
address = ray.address()
shards = Shards(address, sys.argv[2], [["BTCUSDT"]], folder)
known, joined = set(shards.stand_by()), []
for line in sys.stdin:
    done = None
    match line.split():
        case ["make"]:
            shards.make()
        case ["move", node]:
            done = shards.move(ShardMove(0, node), seconds=1)
        case ["leave", node]:
            done = interrupted_move(node)
        case ["join"]:
            joined.append(join(address))
        case ["room"]:
            done = [(shards.is_ready(node), room_on(node)) for node in shards.stand_by()
                    if node not in known]
        case ["end"]:
            break
    print(json.dumps([done, *shards.look()]), file=answers, flush=True)
shards.end()
print("ended", file=answers, flush=True)
sys.stdin.read()
for node in joined:
    node.kill_all_processes(check_alive=False, allow_graceful=False)
ray.stop()
"""


class Head:
    def __init__(self, folder):
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HEAD, str(folder), RUN], cwd=ROOT, text=True, stderr=log,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env=plain_environment() | {"PYTHONPATH": str(ROOT)},  # for what its nodes start
            )  # fmt: skip

    def asked(self, what):
        """What came of it, and the look at the actor afterwards."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        done, look = json.loads(self.process.stdout.readline())
        return done, look

    def look(self):
        """The node and the start of the actor, once it answers."""
        node, _, _, code, started = wait_for(lambda: self.asked("look")[1], "the actor")
        assert code is None
        return node, started


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    head = Head(tmp_path_factory.mktemp("fleet"))
    try:
        head.asked("make")
        yield head
    finally:
        every = psutil.Process(head.process.pid).children(recursive=True)
        head.process.communicate(timeout=120)
        for left in psutil.wait_procs(every, 20)[1]:
            left.kill()


def is_actor(process):
    return " ".join(words_of(process)).startswith("ray::ShardActor")


@pytest.fixture
def actor(head):
    """The actor's process: that of its shard is its child, and is started again as it fails."""

    def found():
        stand_ins = (one for one in psutil.process_iter() if {FORKED, RUN} <= set(words_of(one)))
        parents = [one.parent() for one in stand_ins]  # of one that its actor has left behind: init
        return next((one for one in parents if one and is_actor(one)), None)

    process = wait_for(found, "the process of a shard")
    yield process
    if process.is_running():
        process.resume()


def free_in(raylet):
    """The processes of a node's Ray that have nothing to do."""
    return [one for one in raylet.children() if words_of(one)[:1] == ["ray::IDLE"]]


def test_an_actor_that_is_lost_begins_again_in_a_process_that_was_kept_free(head, actor):
    """Ray would start one, which takes longer than all else on a busy machine."""
    _, started = head.look()
    raylet = actor.parent()
    (spare,) = wait_for(lambda: free_in(raylet), "a free process", 60)
    actor.kill()
    wait_for(lambda: (head.asked("look")[1] or [0] * 5)[4] > started, "the actor", 60)
    assert is_actor(spare)
    (another,) = wait_for(lambda: free_in(raylet), "another free process", 60)
    assert another != spare


def test_an_actor_that_does_not_answer_for_a_moment_is_the_same_afterwards(head, actor):
    before = head.look()
    actor.suspend()
    assert head.asked("look") == (None, None)
    actor.resume()
    assert head.look() == before


def test_the_actors_of_an_earlier_head_are_found_and_not_made_again(head):
    before = head.look()
    head.asked("make")
    assert head.look() == before


def test_a_shard_that_does_not_end_in_time_is_made_again_where_it_should_be(head, actor):
    node, started = head.look()
    actor.suspend()
    done, _ = head.asked(f"move {node}")
    assert done is False
    assert head.look()[1] > started
    assert not psutil.wait_procs([actor], 60)[1]


def test_a_shard_whose_head_was_lost_while_it_was_moved_goes_on_where_it_was(head):
    before = head.look()
    done, look = head.asked(f"leave {before[0]}")
    assert done is True
    wait_for(lambda: head.asked("look")[1][2] != look[2], "another process of the shard")
    assert head.look() == before


def test_a_node_that_has_joined_takes_a_shard_only_once_it_is_ready(head):
    """Ray puts a lost shard where there is room: it would wait for the imports there."""
    head.look()
    head.asked("join")

    def room():
        found = head.asked("room")[0]
        return found[0] if found else None

    assert wait_for(room, "the node", 300)[0] is False
    wait_for(lambda: room() == [False, 0], "the node to be full", 300)
    wait_for(lambda: room() == [True, 1], "the node to have room, as it is ready", 300)


def test_no_process_is_kept_free_once_the_fleet_has_ended(head, actor):
    raylet = actor.parent()
    assert wait_for(lambda: free_in(raylet), "a free process", 60)
    head.process.stdin.write("end\n")
    head.process.stdin.flush()
    assert head.process.stdout.readline() == "ended\n"
    assert raylet.is_running()
    wait_for(lambda: not free_in(raylet), "the end of the free process", 60)

"""Nodes of a Ray cluster on this machine, each behind a link of its own to the store.

    python -m benchmarks.fleet_nodes                  the cluster; takes requests as lines of JSON
    python -m benchmarks.fleet_nodes FROM=TO ...      a link: port FROM of loopback leads to port TO

A link that is stopped (SIGSTOP) is a network that takes everything and brings nothing. Together
with the node's raylet, which Ray then misses, it cuts a node off that goes on by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from benchmarks.processes import Worker, plain_environment, worker
from streaming.program.environment import LOOPBACK
from trainers.session.addresses import free_ports
from trainers.session.fleet.cluster import ENVIRONMENT, STORE_BYTES, SYSTEM

SHARDS_A_NODE = 8
STORE = ("MLFLOW_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL")
CHUNK = 1 << 16
START_SECONDS = 400.0  # Ray starts in 7 s, on a busy machine in minutes


class Node(NamedTuple):
    """A node that takes shards.

    Attributes:
        id: by which Ray knows it.
        raylet: its process.
        link: the process through which it reaches the store.
    """

    id: str
    raylet: psutil.Process
    link: Worker

    def cut_off(self) -> None:
        """Part the node from Ray and from the store; what runs on it goes on."""
        for process in (self.raylet, psutil.Process(self.link.process.pid)):
            process.suspend()

    def join_again(self) -> None:
        """Undo it: what was on the way arrives now."""
        for process in (psutil.Process(self.link.process.pid), self.raylet):
            process.resume()


class Nodes:
    """A cluster whose head takes no shards.

    Args:
        cluster: the worker that has made it.
        environment: that of all who work with it.

    Attributes:
        address: the cluster's address.
        all: its nodes that take shards.
    """

    def __init__(self, cluster: Worker, environment: Mapping[str, str]) -> None:
        self._cluster, self.environment = cluster, environment
        self.address: str = cluster.ready
        self.all: list[Node] = []

    def add(self) -> Node:
        """Add a node with a link of its own."""
        variables, ports = through_link({n: self.environment[n] for n in STORE})
        link = Worker(["-m", "benchmarks.fleet_nodes", *ports])
        link.receive(START_SECONDS)
        identity, pid = self._cluster.ask(
            json.dumps({"do": "add", "variables": variables}), START_SECONDS
        )
        self.all.append(Node(identity, psutil.Process(pid), link))
        return self.all[-1]

    def lose(self, node: Node) -> None:
        """Kill a node with all its processes."""
        self._cluster.ask(json.dumps({"do": "lose", "node": node.id}))
        self.all.remove(node)
        node.link.close()

    def living(self) -> set[str]:
        """Return the ids of the nodes that Ray holds to be there."""
        return set(self._cluster.ask(json.dumps({"do": "living"})))


def through_link(addresses: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return addresses that lead through a link to those that are given, and the link's ports."""
    ports = free_ports(len(addresses))
    found, pairs = {}, []
    for (name, address), port in zip(addresses.items(), ports, strict=True):
        target = urlsplit(address).port
        found[name] = address.replace(f":{target}", f":{port}")
        pairs.append(f"{port}={target}")
    return found, pairs


@contextlib.contextmanager
def nodes(folder: Path, store: Mapping[str, str], number: int) -> Iterator[Nodes]:
    """Run a cluster of so many nodes beside its head, and end it afterwards.

    Args:
        folder: for the cluster's token.
        store: the variables of the store.
        number: how many nodes take shards.
    """
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    environment = (
        plain_environment() | ENVIRONMENT | dict(store) | {"RAY_AUTH_TOKEN_PATH": str(token)}
    )
    program = ["-m", "benchmarks.fleet_nodes"]
    with worker(program, timeout=START_SECONDS, environment=environment) as cluster:
        made = Nodes(cluster, environment)
        every = [psutil.Process(cluster.process.pid)]
        try:
            for _ in range(number):
                made.add()
            yield made
        finally:
            for node in made.all:
                with contextlib.suppress(psutil.Error):
                    node.join_again()
                node.link.close()
            every += every[0].children(recursive=True)
            cluster.process.stdin.close()  # type: ignore[union-attr]
            for left in psutil.wait_procs(every, 20)[1]:
                left.kill()


def run_cluster() -> None:
    """Make a cluster and do what is asked, until nobody asks any more."""
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray tells there of workers that were killed
    small: dict[str, Any] = {"object_store_memory": STORE_BYTES}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SYSTEM, **small}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    print(json.dumps(cluster.address), file=answers, flush=True)
    known = {}
    for line in sys.stdin:
        answer: Any = None
        match json.loads(line):
            case {"do": "add", "variables": variables}:
                node = cluster.add_node(num_cpus=SHARDS_A_NODE, env_vars=variables, **small)
                known[node.node_id] = node
                answer = node.node_id, node.all_processes["raylet"][0].process.pid
            case {"do": "lose", "node": identity}:
                cluster.remove_node(known.pop(identity), allow_graceful=False)
            case {"do": "living"}:
                table = cluster.global_state.node_table()
                answer = [each["NodeID"] for each in table if each["Alive"]]
        print(json.dumps(answer), file=answers, flush=True)
    cluster.shutdown()


async def link(ports: Mapping[int, int]) -> None:
    """Lead each port to another of this machine."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def lead(to: int, *ours: Any) -> None:
        try:
            theirs = await asyncio.open_connection(LOOPBACK, to)
        except OSError:
            ours[1].close()
            return
        await asyncio.gather(forward(ours[0], theirs[1]), forward(theirs[0], ours[1]))

    for here, there in ports.items():
        await asyncio.start_server(lambda *ours, to=there: lead(to, *ours), LOOPBACK, here)
    print(json.dumps(True), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until who has made it closes it, or is gone


if __name__ == "__main__":
    if sys.argv[1:]:
        pairs = (word.partition("=") for word in sys.argv[1:])
        asyncio.run(link({int(here): int(there) for here, _, there in pairs}))
    else:
        run_cluster()

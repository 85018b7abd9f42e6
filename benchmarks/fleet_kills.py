"""What can be killed of a fleet, and how long until its markets are in other hands."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

import psutil

from benchmarks.fleet_nodes import Node
from benchmarks.fleet_session import Fleet
from benchmarks.processes import words_of
from tests.end_to_end.main_job import wait_for
from tests.trial_store import crash
from trainers.session.fleet.node.forked import connect, socket_of

TARGETS = ("node", "actor", "feed", "trainer", "head", "session", "postgres", "s3")
SHARD = {"trainers.session.fleet.node.forked", "trainers.session.fleet.node.shard"}
AWAY_SECONDS = (2.0, 15.0)  # how long a server of the store is away
LIMIT_SECONDS = 400.0


class Takeover(NamedTuple):
    """How the markets of something that was killed came into other hands.

    Attributes:
        target: what was killed.
        detected: seconds until Ray held it to be gone; 0 where Ray sees the process end.
        taken: seconds from then until each of its markets had its next epoch.
    """

    target: str
    detected: float
    taken: float


def actors(session: Fleet) -> dict[psutil.Process, list[str]]:
    """Return the session's actors, each with its markets."""
    found = {}
    for process in psutil.process_iter():
        words = words_of(process)
        if set(words) >= SHARD and session.session.name in words:
            found[process.parent()] = words[words.index("--markets") + 1].split(",")
    return {actor: markets for actor, markets in found.items() if actor is not None}


def markets_on(session: Fleet, node: Node) -> list[str]:
    """Return the markets that a node has."""
    holders = session.epochs.holders()
    return [name for name in session.markets if holders[name][1].endswith(f" {node.id[:8]}")]


def kill(session: Fleet, target: str) -> Takeover | None:
    """Kill something; see that it comes back, or that its markets do elsewhere."""
    session.killed.append(target)
    match target:
        case "node":
            return _kill_node(session)
        case "actor":
            actor, markets = session.rng.choice(sorted(actors(session).items(), key=str))
            before, at = session.epochs.now(), time.monotonic()
            actor.kill()
            return Takeover(target, 0.0, _taken(session, markets, before, at))
        case "feed" | "trainer":
            word = {"feed": "streaming.feed", "trainer": "trainers.session.trainer"}[target]
            session.rng.choice(session.on_nodes(word)).kill()
        case "head":
            _kill_head(session)
        case "session":
            assert session.process is not None
            top = psutil.Process(session.process.pid)
            every = [top, *top.children(recursive=True)]
            for process in every:
                process.kill()
            session.process.wait()
            psutil.wait_procs(every, 20)
            session.start()
        case _:
            crash(session.store, target)
            time.sleep(session.rng.uniform(*AWAY_SECONDS))
            getattr(session.store, target).start()
    return None


def _kill_node(session: Fleet) -> Takeover:
    node = next(each for each in session.cluster.all if markets_on(session, each))
    markets, before, at = markets_on(session, node), session.epochs.now(), time.monotonic()
    session.cluster.lose(node)
    wait_for(lambda: node.id not in session.cluster.living(), "Ray to miss it", LIMIT_SECONDS)
    detected = time.monotonic() - at
    taken = _taken(session, markets, before, at) - detected
    wait_until_ready(session.cluster.add())
    return Takeover("node", detected, taken)


def wait_until_ready(node: Node) -> None:
    """Wait until a node has imported what shards need: until then one that comes to it waits."""
    path = str(socket_of(node.id))
    found = wait_for(lambda: connect(path, []), "the fork server", LIMIT_SECONDS)
    assert found is not None
    with contextlib.closing(found) as connection:
        connection.settimeout(LIMIT_SECONDS)
        connection.recv(64)


def _taken(session: Fleet, markets: list[str], before: dict[str, int], at: float) -> float:
    """Return the seconds since ``at`` when each market has its next epoch."""
    epochs = session.epochs

    def all_taken() -> bool:
        now = epochs.now()
        return all(now[name] > before[name] for name in markets)

    wait_for(all_taken, f"the next epoch of {markets}", LIMIT_SECONDS)
    return time.monotonic() - at


def _kill_head(session: Fleet) -> None:
    assert session.process is not None
    for child in psutil.Process(session.process.pid).children(recursive=True):
        if "trainers.session.fleet.head" in words_of(child):
            child.kill()

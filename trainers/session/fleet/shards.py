"""The shards of a fleet on a Ray cluster: an actor each, found again by its name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainers.recording.travel.local_record import News
from trainers.session.fleet.node.actor import ShardActor, Standby, wait_until_ready
from trainers.session.fleet.placement import ShardMove
from trainers.session.fleet.sightings import Look

NAMESPACE = "tickloop"
ANSWER_SECONDS, MOVE_SECONDS, GONE_SECONDS, POLL_SECONDS = 2.0, 60.0, 10.0, 0.1


class Shards:
    """The actors of one session; making it connects to the cluster.

    Args:
        address: the cluster's address.
        run: the session's run id.
        shares: the markets of each shard.
        root: the project's folder, the same on each node.

    Attributes:
        shares: the markets of each shard.
    """

    def __init__(self, address: str, run: str, shares: Sequence[Sequence[str]], root: Path) -> None:
        import ray  # noqa: PLC0415  (of the extra `fleet`)
        from ray.util.scheduling_strategies import (  # noqa: PLC0415
            NodeAffinitySchedulingStrategy,
        )

        self._on = NodeAffinitySchedulingStrategy
        ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
        self._ray: Any = ray
        self._run, self.shares, self._root = run, shares, root
        self._actors: list[Any] = []
        self._standby: dict[str, Any] = {}  # by node

    def make(self) -> None:
        """Make the actors that are missing: those of an earlier head are there."""
        self._actors = [self._make(at, "SPREAD") for at in range(len(self.shares))]

    def _make(self, at: int, where: Any) -> Any:
        name = self._name(at)
        options = {
            "name": name,
            "get_if_exists": True,
            "lifetime": "detached",
            "max_restarts": -1,
            "num_cpus": 1,
            "scheduling_strategy": where,
        }
        kind = self._ray.remote(ShardActor).options(**options)
        return kind.remote(self._run, self.shares[at], str(self._root), name)

    def _name(self, at: int) -> str:
        return f"{self._run}-{at + 1}"

    def move(self, move: ShardMove, seconds: float = MOVE_SECONDS) -> bool:
        """Move a shard to another node, once it has ended where it is.

        One that does not end in time is taken from its node as if that were lost: it has been told
        to end, so nothing would keep it going there.

        Args:
            move: the shard, and the node.
            seconds: the time that it has to end.

        Returns:
            Whether it ended in time.
        """
        actor, name = self._actors[move.shard], self._name(move.shard)
        actor.stop.remote(to_move=True)
        ended = self._until(lambda: self._has_ended(actor), seconds)
        self._ray.kill(actor, no_restart=True)
        self._until(lambda: not self._is_there(name), GONE_SECONDS)
        # If that node is lost meanwhile, Ray may take any other.
        self._actors[move.shard] = self._make(move.shard, self._on(move.to, soft=True))
        return ended

    def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true, for so many seconds at most; return whether it is."""
        deadline = time.monotonic() + seconds
        while not (done := true()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return done

    def _has_ended(self, actor: Any) -> bool:
        return bool(self._answer_of(actor.has_ended.remote()))

    def _is_there(self, name: str) -> bool:
        try:
            self._ray.get_actor(name)
        except ValueError:
            return False
        return True

    def stand_by(self) -> list[str]:
        """Prepare every node that takes shards; return their ids.

        Ray puts a lost shard where there is room: in one that has joined there is none until it is
        ready. The first nodes are ready together, so shards go to all of them at once.
        """
        living = [node for node in self._ray.nodes() if node["Alive"]]
        cpus = {node["NodeID"]: node["Resources"].get("CPU", 0) for node in living}
        there = [node for node, number in cpus.items() if number >= 1]
        kind = self._ray.remote(Standby)
        for node in there:
            if node not in self._standby:
                if self._actors:
                    self._fill(node, cpus[node])
                self._standby[node] = kind.options(
                    name=f"{self._run}-standby-{node}",
                    get_if_exists=True,
                    lifetime="detached",
                    num_cpus=0,
                    scheduling_strategy=self._on(node, soft=False),
                ).remote(str(self._root))
        return there

    def _fill(self, node: str, cpus: float) -> None:
        """Take all of a node until it is ready; if this head is killed, Ray ends the task."""
        options = {"num_cpus": cpus, "scheduling_strategy": self._on(node, soft=False)}
        self._ray.remote(wait_until_ready).options(max_retries=0, **options).remote(str(self._root))

    def is_ready(self, node: str) -> bool:
        """Return whether a node has imported all that a shard needs."""
        ref = self._standby[node].is_ready.remote()
        done, _ = self._ray.wait([ref], timeout=ANSWER_SECONDS)
        return bool(done and self._answer_of(ref))

    def look(self) -> list[Look | None]:
        """Return what each actor says of itself; None of one that does not answer now."""
        refs = [actor.look.remote() for actor in self._actors]
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=ANSWER_SECONDS)
        return [self._answer(ref) if ref in done else None for ref in refs]

    def news(self, asked: Mapping[str, Mapping[str, int]]) -> dict[str, News]:
        """Return what is new on the nodes, without the markets of an actor that does not answer.

        Args:
            asked: by market: the files and rings, with the bytes of each that are known.
        """
        refs = [
            actor.news.remote({name: asked[name] for name in markets if name in asked})
            for actor, markets in zip(self._actors, self.shares, strict=True)
        ]
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=ANSWER_SECONDS)
        return {name: news for ref in done for name, news in (self._answer_of(ref) or {}).items()}

    def stop(self) -> None:
        """Ask all shards to end."""
        for actor in self._actors:
            actor.stop.remote()

    def end(self) -> None:
        """Let the actors go for good, and the cluster."""
        closed = [standby.close.remote() for standby in self._standby.values()]
        self._ray.wait(closed, num_returns=len(closed), timeout=ANSWER_SECONDS)
        for actor in [*self._actors, *self._standby.values()]:
            self._ray.kill(actor, no_restart=True)
        self._ray.shutdown()

    def _answer(self, ref: Any) -> Look | None:
        told = self._answer_of(ref)
        return Look(*told) if told else None

    def _answer_of(self, ref: Any) -> Any:
        try:
            return self._ray.get(ref, timeout=ANSWER_SECONDS)
        except self._ray.exceptions.RayError:
            return None

"""The shards of a fleet on a Ray cluster: an actor each, found again by its name."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainers.session.fleet.node.actor import Look, ShardActor, Standby
from trainers.session.fleet.placement import ShardMove

NAMESPACE = "tickloop"
ANSWER_SECONDS, MOVE_SECONDS, POLL_SECONDS = 2.0, 60.0, 0.1

Seen = Look


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

    def move(self, move: ShardMove) -> bool:
        """Move a shard to another node, once it has ended where it is.

        Returns:
            Whether the shard ended with its whole record in the store, as it should; if not, it
            goes on where it is.
        """
        actor = self._actors[move.shard]
        self._ray.get(actor.stop.remote(), timeout=ANSWER_SECONDS)
        deadline = time.monotonic() + MOVE_SECONDS
        while (seen := self._answer(actor.look.remote())) is None or seen.code is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        self._ray.kill(actor, no_restart=True)
        while self._is_there(self._name(move.shard)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        # If that node is lost meanwhile, Ray may take any other.
        self._actors[move.shard] = self._make(move.shard, self._on(move.to, soft=True))
        return True

    def _is_there(self, name: str) -> bool:
        try:
            self._ray.get_actor(name)
        except ValueError:
            return False
        return True

    def stand_by(self) -> list[str]:
        """Prepare every node that takes shards; return the ids of those that are ready."""
        living = [node for node in self._ray.nodes() if node["Alive"]]
        there = [node["NodeID"] for node in living if node["Resources"].get("CPU", 0) >= 1]
        kind = self._ray.remote(Standby)
        for node in there:
            if node not in self._standby:
                self._standby[node] = kind.options(
                    name=f"{self._run}-standby-{node}",
                    get_if_exists=True,
                    lifetime="detached",
                    num_cpus=0,
                    scheduling_strategy=self._on(node, soft=False),
                ).remote(str(self._root))
        return there

    def is_ready(self, node: str) -> bool:
        """Return whether a node has imported all that a shard needs."""
        ref = self._standby[node].is_ready.remote()
        done, _ = self._ray.wait([ref], timeout=ANSWER_SECONDS)
        return bool(done and self._answer_of(ref))

    def look(self) -> list[Seen | None]:
        """Return what each actor says of itself; None of one that does not answer now."""
        refs = [actor.look.remote() for actor in self._actors]
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=ANSWER_SECONDS)
        return [self._answer(ref) if ref in done else None for ref in refs]

    def stop(self) -> None:
        """Ask all shards to end."""
        for actor in self._actors:
            actor.stop.remote()

    def end(self) -> None:
        """Let the actors go for good, and the cluster."""
        for actor in [*self._actors, *self._standby.values()]:
            self._ray.kill(actor, no_restart=True)
        self._ray.shutdown()

    def _answer(self, ref: Any) -> Seen | None:
        told = self._answer_of(ref)
        return Look(*told) if told else None

    def _answer_of(self, ref: Any) -> Any:
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayError:
            return None

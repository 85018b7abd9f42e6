"""The shards of a fleet on a Ray cluster: an actor each, found again by its name."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainers.session.fleet.actor import Look, ShardActor, Standby

NAMESPACE = "tickloop"
ANSWER_SECONDS = 2.0

Seen = Look


class Shards:
    """The actors of one session; making it connects to the cluster.

    Args:
        address: the cluster's address.
        run: the session's run id.
        shares: the markets of each shard.
        root: the project's folder, the same on each node.
    """

    def __init__(self, address: str, run: str, shares: Sequence[Sequence[str]], root: Path) -> None:
        import ray  # noqa: PLC0415  (of the extra `fleet`)
        from ray.util.scheduling_strategies import (  # noqa: PLC0415
            NodeAffinitySchedulingStrategy,
        )

        self._on = functools.partial(NodeAffinitySchedulingStrategy, soft=False)
        ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
        self._ray: Any = ray
        self._run, self._shares, self._root = run, shares, root
        self._actors: list[Any] = []
        self._standby: dict[str, Any] = {}  # by node

    def make(self) -> None:
        """Make the actors that are missing: those of an earlier head are there."""
        kind = self._ray.remote(ShardActor)
        for number, markets in enumerate(self._shares, 1):
            name = f"{self._run}-{number}"
            options = {
                "name": name,
                "get_if_exists": True,
                "lifetime": "detached",
                "max_restarts": -1,
                "num_cpus": 1,
                "scheduling_strategy": "SPREAD",
            }
            made = kind.options(**options).remote(self._run, markets, str(self._root), name)
            self._actors.append(made)

    def stand_by(self) -> list[str]:
        """Have every node ready for shards; return the ids of all nodes that live."""
        there = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]
        kind = self._ray.remote(Standby)
        for node in there:
            if node not in self._standby:
                self._standby[node] = kind.options(
                    name=f"{self._run}-standby-{node}",
                    get_if_exists=True,
                    lifetime="detached",
                    num_cpus=0,
                    scheduling_strategy=self._on(node),
                ).remote(str(self._root))
        return there

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
        try:
            return Look(*self._ray.get(ref))
        except self._ray.exceptions.RayError:
            return None

"""Where shards should run: as many on each node as on any other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class ShardMove(NamedTuple):
    """A shard, by its place in the session's order, and the node that should take it over."""

    shard: int
    to: str


def next_move(places: Sequence[str], nodes: Sequence[str]) -> ShardMove | None:
    """Return the move that evens the nodes out; None if they differ by one shard at most.

    The first shard, which also writes the session's own run, moves last.

    Args:
        places: the node of each shard.
        nodes: the nodes that can take shards.

    >>> next_move(["a", "a", "a"], ["a", "b"])
    ShardMove(shard=2, to='b')
    >>> next_move(["a", "a", "b"], ["a", "b"]), next_move(["a"], [])
    (None, None)
    """
    has = Counter(dict.fromkeys(nodes, 0))
    has.update(place for place in places if place in has)
    if not has:
        return None
    most, least = max(has, key=lambda node: has[node]), min(has, key=lambda node: has[node])
    if has[most] - has[least] < 2:
        return None
    return ShardMove(max(at for at, place in enumerate(places) if place == most), least)

"""Shares a session's markets out among its trainers.

Which trainer has which markets changes nothing of what they learn: a market's record knows of no
shard, and they may be shared out anew at any start.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

MOST_BY_DEFAULT = 4


def shares_of(markets: Sequence[str], shards: int) -> list[list[str]]:
    """Return the markets of each trainer; the first has the session's first market.

    They are dealt in turn: so the cycles of each trainer's markets are spread over the interval.

    Args:
        markets: the session's markets.
        shards: the number of trainers; 0 for one for each core, at most ``MOST_BY_DEFAULT``.

    >>> shares_of(["A", "B", "C", "D", "E"], 2)
    [['A', 'C', 'E'], ['B', 'D']]
    >>> shares_of(["A"], 2)
    [['A']]
    """
    n = min(shards or min(cores(), MOST_BY_DEFAULT), len(markets))
    return [list(markets[i::n]) for i in range(n)]


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

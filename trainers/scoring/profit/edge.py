"""The edge of an agent: its net profit above that of the best baseline agent. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.scoring.interval import Estimate, sum_of
from trainers.scoring.profit.paper import Paper


def edge_bps(ours: Paper, rivals: Mapping[str, Paper], first: int) -> tuple[str, Estimate] | None:
    """Return the best rival's name and how much more ours earned, bp; None without a rival.

    Args:
        ours: the agent's account.
        rivals: the accounts of the baselines, by name, over the same bars.
        first: index of the bar of the agent's first forecast; earlier bars do not count.
    """
    found = [
        (name, sum_of(ours.net_bps[first:] - rival.net_bps[first:]))
        for name, rival in rivals.items()
    ]
    return min(found, key=lambda pair: pair[1].value, default=None)

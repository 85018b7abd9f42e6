"""The edge of an agent: its net profit above that of the best baseline agent. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.scoring.batches import Batches
from trainers.scoring.interval import Estimate


def edge_bps(above: Mapping[str, Batches]) -> tuple[str, Estimate] | None:
    """Return the best rival's name and how much more the agent earned, bp; None without a rival.

    Args:
        above: by name of a baseline, how much more than it the agent earned at each bar from the
            agent's first forecast on, costs paid, bp.
    """
    found = [(name, bars.sum_of()) for name, bars in above.items()]
    return min(found, key=lambda pair: pair[1].value, default=None)

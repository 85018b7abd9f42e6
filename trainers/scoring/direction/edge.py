"""The edge: how much log-loss a learner saves against the best of the baselines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.batches import Batches
from trainers.scoring.direction.cases import log_losses
from trainers.scoring.interval import Estimate
from trainers.scoring.scored import Scored

# A baseline that scored less than this share of a learner's bars may be the best by luck.
ENOUGH = 0.5


class Edge(NamedTuple):
    """The edge of a learner over the best baseline.

    Attributes:
        saved: the baseline's log-loss less the learner's, nats per bar, over the bars both scored.
        baseline: name of the best baseline: the one against which the least is saved.
        bars: the number of bars that both scored.
    """

    saved: Estimate
    baseline: str
    bars: int


def savings(ours: Scored, baseline: Scored) -> NDArray[np.float64]:
    """Return the baseline's log-loss less ours, nats, at each bar that both scored."""
    both = ours.scored & baseline.scored
    up = (ours.moves.moved[both] > 0).astype(np.float64)
    return log_losses(baseline.probability[both], up) - log_losses(ours.probability[both], up)


def edge_of(saved: Mapping[str, Batches], scored: int) -> Edge | None:
    """Return the edge over the best baseline; None if none scored enough of the bars of ours.

    Args:
        saved: the ``savings`` against each baseline, by name.
        scored: the number of bars that ours scored.
    """
    edges = [
        Edge(bars.mean_of(), name, bars.n)
        for name, bars in saved.items()
        if bars.n and bars.n >= ENOUGH * scored
    ]
    return min(edges, key=lambda edge: edge.saved.value, default=None)

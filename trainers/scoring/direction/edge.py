"""The edge: how much log-loss a learner saves against the best of the baselines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.direction.scores import log_losses
from trainers.scoring.interval import Estimate, mean_of
from trainers.scoring.metrics import WINDOWS, start_of
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


def edges_of(ours: Scored, baselines: Mapping[str, Scored]) -> dict[str, Edge]:
    """Return the edge over each window, by full name: ``live/edge``, ``live/10m/edge``, ...

    Args:
        ours: the learner's forecasts and the moves, ``(T,)`` bars.
        baselines: the baselines' forecasts by name, over the same bars.
    """
    found = {}
    for prefix, seconds in WINDOWS.items():
        start = start_of(ours.moves.bar, seconds)
        window = {name: baseline.since(start) for name, baseline in baselines.items()}
        if edge := edge_of(ours.since(start), window):
            found[f"{prefix}edge"] = edge
    return found


def edge_of(ours: Scored, baselines: Mapping[str, Scored]) -> Edge | None:
    """Return the edge over the best baseline; None if none scored enough of the bars of ours."""
    edges = []
    for name, baseline in baselines.items():
        both = ours.scored & baseline.scored
        bars = int(both.sum())
        if bars and bars >= ENOUGH * ours.scored.sum():
            saved = mean_of(_losses(baseline, both) - _losses(ours, both))
            edges.append(Edge(saved, name, bars))
    return min(edges, key=lambda edge: edge.saved.value, default=None)


def _losses(scored: Scored, at: NDArray[np.bool_]) -> NDArray[np.float64]:
    return log_losses(scored.probability[at], (scored.moves.moved[at] > 0).astype(np.float64))

"""What the page works out from the ledger itself, since MLflow does not hold it. Pure.

    Scored of every learner -> calibration curves, P&L by cost, windows of the baselines

The scores are ``trainers/scoring``'s; names are those of MLflow, see ``scoring/metrics.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainers.scoring.direction.calibration import BINS
from trainers.scoring.direction.scores import accuracy, log_loss
from trainers.scoring.interval import Estimate, rate_of, sum_of
from trainers.scoring.metrics import WINDOWS, named, start_of
from trainers.scoring.profit.paper import Paper
from trainers.scoring.scored import Cases, Scored

COSTS = (0, 1, 2)  # times the cost of a trade


def curve(cases: Cases) -> list[list[float]]:
    """Return the calibration curve: said, came, half-width of its interval, cases; a row a bin.

    Bins hold equal counts, as in ``calibration_error``; equal probabilities share a bin.
    """
    ordered = np.sort(cases.probability)
    edges = np.unique(ordered[len(ordered) * np.arange(1, BINS) // BINS])
    bins = np.searchsorted(edges, cases.probability, side="right")
    return [_point(cases, bins == at) for at in np.unique(bins)]


def _point(cases: Cases, here: Any) -> list[float]:
    up = cases.up[here]
    came = rate_of(int(up.sum()), len(up))
    said = float(cases.probability[here].mean())
    return [round(said, 4), round(came.value, 4), round(came.half_width or 0.0, 4), len(up)]


def by_cost(paper: Paper) -> list[Estimate]:
    """Return the P&L, bp, if a trade cost nothing, what it costs, and twice that."""
    cost = paper.gross_bps - paper.net_bps
    return [sum_of(paper.gross_bps - times * cost) for times in COSTS]


def window_metrics(scored: Scored, paper: Paper) -> dict[str, float]:
    """Return a baseline's headline scores over each window but the session, which MLflow has."""
    found: dict[str, float] = {}
    for prefix, seconds in WINDOWS.items():
        if seconds is None:
            continue
        start = start_of(scored.moves.bar, seconds)
        window = scored.since(start)
        scores: dict[str, Estimate | None] = {}
        if window.scored.any():
            cases = window.cases()
            scores = {"accuracy": accuracy(cases), "log_loss": log_loss(cases)}
            scores["scored"] = Estimate(float(window.scored.sum()))
        if window.first < len(window):
            scores["pnl_bps"] = sum_of(paper.since(start).net_bps[window.first :])
        found |= named(prefix, scores)
    return found


def edge_bps(ours: Paper, rivals: Mapping[str, Paper], first: int) -> tuple[str, Estimate] | None:
    """Return the P&L over that of the best rival, bp, and who that is.

    Args:
        ours: an agent's account.
        rivals: the baselines' by name, of the same bars.
        first: the agent's first bar, as an index.
    """
    found = [
        (name, sum_of(ours.net_bps[first:] - rival.net_bps[first:]))
        for name, rival in rivals.items()
    ]
    return min(found, key=lambda pair: pair[1].value, default=None)


def is_agent(scored: Scored) -> bool:
    """Tell whether a learner says what to do and not how likely a rise is."""
    return bool(np.isnan(scored.probability).all()) and scored.first < len(scored)

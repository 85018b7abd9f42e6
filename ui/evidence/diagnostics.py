"""What the page computes from the ledger itself, since MLflow does not hold it. Pure.

    Scored of every learner -> calibration curves, P&L by cost, windows of the baselines

The scores are those of ``trainers/scoring``, with their names in MLflow (``scoring/metrics.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainers.scoring.direction.calibration import BINS
from trainers.scoring.direction.scores import accuracy, log_loss
from trainers.scoring.interval import Estimate, rate_of, sum_of
from trainers.scoring.metrics import WINDOWS, named, start_of
from trainers.scoring.profit.paper import Paper
from trainers.scoring.scored import Samples, Scored

COSTS = (0, 1, 2)  # times the cost of a trade


def curve(samples: Samples) -> list[list[float]]:
    """Return the calibration curve, a row a bin: ``[predicted, observed, half-width, bars]``.

    Bins hold equal counts, as in ``calibration_error``; equal probabilities share a bin.
    """
    ordered = np.sort(samples.probability)
    edges = np.unique(ordered[len(ordered) * np.arange(1, BINS) // BINS])
    bins = np.searchsorted(edges, samples.probability, side="right")
    return [_bin(samples, bins == at) for at in np.unique(bins)]


def _bin(samples: Samples, here: Any) -> list[float]:
    up = samples.up[here]
    observed = rate_of(int(up.sum()), len(up))
    predicted = float(samples.probability[here].mean())
    half_width = observed.half_width or 0.0
    return [round(predicted, 4), round(observed.value, 4), round(half_width, 4), len(up)]


def by_cost(paper: Paper) -> list[Estimate]:
    """Return the P&L in bp at each of ``COSTS``."""
    cost = paper.gross_bps - paper.net_bps
    return [sum_of(paper.gross_bps - times * cost) for times in COSTS]


def window_metrics(scored: Scored, paper: Paper) -> dict[str, float]:
    """Return a baseline's scores over each window but the session, which MLflow has."""
    metrics: dict[str, float] = {}
    for prefix, seconds in WINDOWS.items():
        if seconds is None:
            continue
        start = start_of(scored.moves.bar, seconds)
        window = scored.since(start)
        scores: dict[str, Estimate | None] = {}
        if window.scored.any():
            samples = window.samples()
            scores = {"accuracy": accuracy(samples), "log_loss": log_loss(samples)}
            scores["scored"] = Estimate(float(window.scored.sum()))
        if window.first < len(window):
            scores["pnl_bps"] = sum_of(paper.since(start).net_bps[window.first :])
        metrics |= named(prefix, scores)
    return metrics

"""What the page computes from the ledger itself, since MLflow does not hold it. Pure.

    Track of every learner -> calibration curves, P&L by cost, windows of the baselines

The scores are those of ``trainers/scoring``, with their names in MLflow (``scoring/metrics.py``).
"""

from __future__ import annotations

import numpy as np

from trainers.scoring.direction.calibration import BINS, bins_of
from trainers.scoring.direction.grid import Grid
from trainers.scoring.direction.scores import accuracy, log_loss
from trainers.scoring.interval import Estimate, rate_of
from trainers.scoring.market.track import Track
from trainers.scoring.metrics import WINDOWS, named
from trainers.scoring.profit.scores import GROSS, NET
from trainers.scoring.tally import Tally

COSTS = (0, 1, 2)  # times the cost of a trade


def curve(grid: Grid) -> list[list[float]]:
    """Return the calibration curve, a row a bin: ``[predicted, observed, half-width, bars]``.

    Bins hold equal counts, as in ``calibration_error``; the probabilities of a cell share a bin.
    """
    bins = bins_of(grid)
    up, down, error = (np.bincount(bins, column, BINS).tolist() for column in grid)
    return [_bin(u, u + d, e) for u, d, e in zip(up, down, error, strict=True) if u + d]


def _bin(up: float, n: float, error: float) -> list[float]:
    observed = rate_of(int(up), int(n))
    predicted = (up - error) / n
    half_width = observed.half_width or 0.0
    return [round(predicted, 4), round(observed.value, 4), round(half_width, 4), int(n)]


def by_cost(tally: Tally) -> list[Estimate]:
    """Return the P&L in bp at each of ``COSTS``."""
    return [tally.account.weighted_sum({GROSS: 1.0 - times, NET: times}) for times in COSTS]


def window_metrics(track: Track) -> dict[str, float]:
    """Return a baseline's scores over each window but the session, which MLflow has."""
    metrics: dict[str, float] = {}
    for prefix, seconds in WINDOWS.items():
        if seconds is not None:
            metrics |= named(prefix, _scores(track.tally_over(seconds)))
    return metrics


def _scores(tally: Tally) -> dict[str, Estimate | None]:
    scores: dict[str, Estimate | None] = {}
    if tally.scored:
        directions = tally.directions
        scores = {"accuracy": accuracy(directions), "log_loss": log_loss(directions)}
        scores["scored"] = Estimate(float(tally.scored))
    if tally.begun:
        scores["pnl_bps"] = tally.account.sum_of(NET)
    return scores

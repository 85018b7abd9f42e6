"""What each bar says about a forecaster or an agent, so that two can be compared bar by bar. Pure.

    forecaster   minus the log-loss, nats, at bars that moved
    agent        the net profit of its paper account, bp, from its first forecast on

NaN where a bar says nothing: no forecast in time, no move, a gap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.direction.cases import log_losses
from trainers.scoring.interval import Estimate, half_width
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import Scored

Floats = NDArray[np.float64]


def bar_scores(scored: Scored, *, is_agent: bool, fee_bps: float) -> Floats:
    """Return the score of each bar, ``(T,)``; that of a bar is known when the next one closes."""
    found = np.full(len(scored), np.nan)
    if is_agent:
        profits, known = paper_of(scored, fee_bps).net_bps, ~scored.moves.waiting
        known[: scored.first] = False
        found[known] = profits[known]
    else:
        samples = scored.samples()
        found[scored.scored] = -log_losses(samples.probability, samples.up)
    return found


def gains_of(ours: Floats, other: Floats) -> Floats:
    """Return how much better ours was at each bar that says something of both, in their order."""
    gains = ours - other
    return gains[~np.isnan(gains)]


def mean_gain(ours: Floats, other: Floats) -> Estimate | None:
    """Return by how much ours was better a bar; None if no bar says something of both."""
    gains = gains_of(ours, other)
    return Estimate(float(gains.mean()), half_width(gains)) if len(gains) else None


def is_worse(ours: Floats, other: Floats) -> bool:
    """Return whether ours is worse than the other beyond doubt: its whole interval is below 0.

    Interval and bars are paired; its width takes account of neighbours that depend on each other,
    which a rank test of the bars would not.
    """
    gain = mean_gain(ours, other)
    if gain is None or gain.half_width is None:
        return False
    return gain.value + gain.half_width < 0

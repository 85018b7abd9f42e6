"""How much better one learner did than another at each bar, and at most could have done. Pure.

    two learners' scored forecasts -> differences -> evidence -> promotion

Forecasters are compared by Brier score, agents by the net profit of their paper accounts. Only
bars at which both were scored count, so neither gains by staying silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.direction.scores import brier_scores
from trainers.scoring.moves import Moves
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import Scored

Floats = NDArray[np.float64]

# The limit of a bar's profit, in typical moves; with tails as fat as Student's t with 3 degrees of
# freedom, 2 bars in 10,000 go further.
MOST_MOVES = 20
TYPICAL_BARS = 600  # the bars over which a typical move is the mean
FEWEST_MOVES = 30  # the fewest moves for such a mean


class Differences(NamedTuple):
    """The differences at the bars at which both were scored, oldest first, ``(n,)`` each.

    Attributes:
        better: how much better ours did, in [-1, 1]: what the e-process bets on.
        most: the largest possible ``|better|``, known before the bar's label.
        gain: how much better ours did, in ``unit``.
        unit: the unit of ``gain``.
    """

    better: Floats
    most: Floats
    gain: Floats
    unit: str


Compare = Callable[[Scored, Scored], Differences]


def by_brier(ours: Scored, other: Scored) -> Differences:
    """Compare two forecasters by the other's Brier score less ours.

    With our probability ``p``, the other's ``q`` and the label ``y``, 0 or 1, the difference is
    ``(q - p) (q + p - 2 y)``, so its size for either label is known once both have forecast.
    """
    both = ours.scored & other.scored
    p, q = ours.probability[both], other.probability[both]
    up = (ours.moves.moved[both] > 0).astype(np.float64)
    better = brier_scores(q, up) - brier_scores(p, up)
    return Differences(better, np.abs(q - p) * np.maximum(q + p, 2 - q - p), better, "Brier")


def by_profit(fee_bps: float) -> Compare:
    """Return a comparison of two agents by the net profit of ours less the other's.

    Both accounts begin out of the market at the first bar at which both have forecast. A position
    counts at what closing it would leave, so the cost of getting out is paid when getting in: with
    it unpaid, an agent that earns less than its costs would look good in the middle of a trade.

    The difference is divided by a limit of what a bar can bring, known before it: 20 typical moves
    of the ten minutes before, and the cost of a change. Beyond that limit it is clipped, and the
    guarantee is about the clipped profit: an agent that earns a little at most bars, and now and
    then loses more than 20 typical moves in one, would look better than it is.

    Args:
        fee_bps: cost of one change of position besides half the spread, bp of its value.
    """

    def compare(ours: Scored, other: Scored) -> Differences:
        start = max(ours.first, other.first)
        ours, other = ours.since(start), other.since(start)
        gain = _closed_out(ours, fee_bps) - _closed_out(other, fee_bps)
        better = _scaled(gain, ours.moves, fee_bps)
        known = ~ours.moves.waiting
        return Differences(better[known], np.ones(int(known.sum())), gain[known], "bp")

    return compare


def _closed_out(scored: Scored, fee_bps: float) -> Floats:
    """Return each bar's net profit, bp, as if the position were closed out at its end."""
    paper = paper_of(scored, fee_bps)
    still_in = paper.position * ~scored.moves.broken
    return paper.net_bps - np.diff(still_in * (fee_bps + scored.moves.half_spread_bps), prepend=0.0)


def _scaled(gain: Floats, moves: Moves, fee_bps: float) -> Floats:
    """Return the gains scaled and clipped to [-1, 1]; 0 while the typical move is not known."""
    reach = MOST_MOVES * _typical_move(moves) + fee_bps + moves.half_spread_bps
    scaled = np.divide(gain, reach, out=np.zeros(len(gain)), where=reach > 0)
    return np.clip(scaled, -1, 1)


def _typical_move(moves: Moves) -> Floats:
    """Return the mean size of the moves in the ten minutes before each bar, ``(T,)``, bp.

    NaN where fewer than ``FEWEST_MOVES`` are known; the caller's ``reach > 0`` is False there.
    """
    whole = ~(moves.broken | moves.waiting)
    sums = np.concatenate([[0.0], np.cumsum(np.abs(moves.ret_bps) * whole)])
    counts = np.concatenate([[0], np.cumsum(whole)])
    stop = np.arange(len(whole))
    start = np.maximum(stop - TYPICAL_BARS, 0)
    n = counts[stop] - counts[start]
    size = np.maximum(sums[stop] - sums[start], 0) / np.maximum(n, 1)
    return np.where(n >= FEWEST_MOVES, size, np.nan)

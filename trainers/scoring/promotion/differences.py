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

from trainers.scoring.direction.cases import brier_scores
from trainers.scoring.moves import Moves
from trainers.scoring.profit.paper import NEW_ACCOUNT, paper_of
from trainers.scoring.scored import Scored

Floats = NDArray[np.float64]

# The limit of a bar's profit, in typical moves; with tails as fat as Student's t with 3 degrees of
# freedom, 2 bars in 10,000 go further.
MOST_MOVES = 20


class Differences(NamedTuple):
    """The differences at the bars at which both were scored, oldest first, ``(n,)`` each.

    Attributes:
        better: how much better ours did, in [-1, 1]: what the e-process bets on.
        most: the largest possible ``|better|``, known before the bar's label.
        gain: how much better ours did, in ``unit``.
        unit: the unit of ``gain``.
        bar: int64, when each of these bars opened, ns.
        settled: the newest bar whose label is known, ns; -1 if there is none.
        offered: ``(k,)`` the largest possible ``|better|`` at all bars at which both have forecast,
            whatever came of it: what these may cost while their labels are open. Not at the newest
            bar, of whose move nothing has been seen.
        offered_bar: ``(k,)`` int64, when these opened, ns.
    """

    better: Floats
    most: Floats
    gain: Floats
    unit: str
    bar: NDArray[np.int64]
    settled: int
    offered: Floats = np.zeros(0)
    offered_bar: NDArray[np.int64] = np.zeros(0, np.int64)

    def reversed(self) -> Differences:
        """Return how much better the other did."""
        return self._replace(better=-self.better, gain=-self.gain)


# Compares ours with another's; called with one part of the bars after the other.
Compare = Callable[[Scored, Scored], Differences]


def by_brier(ours: Scored, other: Scored) -> Differences:
    """Compare two forecasters by the other's Brier score less ours.

    With our probability ``p``, the other's ``q`` and the label ``y``, 0 or 1, the difference is
    ``(q - p) (q + p - 2 y)``, so its size for either label is known once both have forecast.
    """
    moves, p, q = ours.moves, ours.probability, other.probability
    both, asked = ours.scored & other.scored, ~np.isnan(p + q)
    asked[-1:] &= ~moves.open[-1:]
    up = (moves.moved[both] > 0).astype(np.float64)
    better = brier_scores(q[both], up) - brier_scores(p[both], up)
    most = np.abs(q - p) * np.maximum(q + p, 2 - q - p)
    settled = int(moves.bar[~moves.open].max(initial=-1))
    return Differences(
        better, most[both], better, "Brier", moves.bar[both], settled, most[asked], moves.bar[asked]
    )


class ByProfit:
    """Compares two agents by the net profit of ours less the other's, part by part of the bars.

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

    def __init__(self, fee_bps: float) -> None:
        self._fee_bps = fee_bps
        self._ours, self._other = _ClosedOut(fee_bps), _ClosedOut(fee_bps)

    def __call__(self, ours: Scored, other: Scored) -> Differences:
        start = max(self._ours.first(ours), self._other.first(other))
        ours, other = ours.since(start), other.since(start)
        gain = self._ours.profits(ours) - self._other.profits(other)
        better = _scaled(gain, ours.moves, self._fee_bps)
        known = ~ours.moves.waiting
        bar = ours.moves.bar[known]
        settled = int(bar.max(initial=-1))
        return Differences(better[known], np.ones(len(bar)), gain[known], "bp", bar, settled)


class _ClosedOut:
    """An agent's account, as if the position were closed out at the end of each bar."""

    def __init__(self, fee_bps: float) -> None:
        self._fee_bps = fee_bps
        self._account = NEW_ACCOUNT
        self._owed_bps = 0.0  # to close out after the last bar
        self._begun = False

    def first(self, scored: Scored) -> int:
        """Return the index of the first bar of a part at which it has forecast by then."""
        first = 0 if self._begun else scored.first
        self._begun = self._begun or first < len(scored)
        return first

    def profits(self, scored: Scored) -> Floats:
        """Return the net profit of each bar of a part, bp."""
        moves = scored.moves
        paper = paper_of(scored, self._fee_bps, self._account)
        owed = paper.position * ~moves.broken * (self._fee_bps + moves.half_spread_bps)
        profits: Floats = paper.net_bps - np.diff(owed, prepend=self._owed_bps)
        if len(owed):
            self._account, self._owed_bps = paper.after, float(owed[-1])
        return profits


def _scaled(gain: Floats, moves: Moves, fee_bps: float) -> Floats:
    """Return the gains scaled and clipped to [-1, 1]; 0 while the typical move is not known."""
    reach = MOST_MOVES * moves.typical_bps + fee_bps + moves.half_spread_bps
    scaled = np.divide(gain, reach, out=np.zeros(len(gain)), where=reach > 0)
    return np.clip(scaled, -1, 1)

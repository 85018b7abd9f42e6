"""Evidence that one forecaster is better than another, valid however often one looks. Pure.

A gambler bets on the one being better: stakes of several sizes, each multiplied by
``1 + size * d`` at every bar, ``d`` being how much better it was. If it is not better in
expectation, whatever came before, the mean wealth E is a supermartingale that began at 1, and
it ever reaches 1 / alpha with a chance of alpha at most: J. Ville (1939); A. Ramdas et al.,
Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38 (2023).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.direction import brier_scores
from trainers.scoring.scored import Scored

SIZES = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.4])

CANARY_ALPHA = 0.001  # chance of a false alarm, over the whole life of a session


class Evidence:
    """A betting e-process.

    Attributes:
        log_value: logarithm of E now; E itself would overflow in a long session.
        log_peak: of the highest E so far.
        bars: bet on so far.

    >>> evidence = Evidence()
    >>> evidence.bet(np.full(20, 0.8))
    >>> evidence.reaches(0.05), evidence.reaches(0.001)
    (True, False)
    """

    def __init__(self) -> None:
        self.log_value = self.log_peak = 0.0
        self.bars = 0
        self._log_wealth = np.zeros(len(SIZES))

    def bet(self, better: NDArray[np.float64]) -> None:
        """Go on by bars, the same bits however they are grouped.

        Args:
            better: ``(n,)`` in [-1, 1]: how much better each forecast was, both made before
                its label existed.
        """
        if len(better) == 0:
            return
        steps = np.log1p(better[:, None] * SIZES)
        path = np.cumsum(np.concatenate([self._log_wealth[None], steps]), axis=0)[1:]
        log_values = np.logaddexp.reduce(path, axis=1) - math.log(len(SIZES))
        self.bars += len(better)
        self._log_wealth = path[-1]
        self.log_value = float(log_values[-1])
        self.log_peak = max(self.log_peak, float(log_values.max()))

    def reaches(self, alpha: float) -> bool:
        """Tell whether E was ever at 1 / alpha or above."""
        return self.log_peak >= -math.log(alpha)


def better_brier(ours: Scored, other: Scored) -> NDArray[np.float64]:
    """Return the other's Brier score less ours at each bar that both scored, oldest first."""
    both = ours.scored & other.scored
    up = (ours.moves.moved[both] > 0).astype(np.float64)
    return brier_scores(other.probability[both], up) - brier_scores(ours.probability[both], up)


class Canary(NamedTuple):
    """The verdict on a canary, which learns from permuted labels and so cannot know anything.

    Attributes:
        alarm: it knows something, so labels leak into what learners see.
        log_evidence: logarithm of the highest E that it does.
        bars: judged.
    """

    alarm: bool
    log_evidence: float
    bars: int


def judge_canary(canary: Scored, majority: Scored) -> Canary:
    """Judge a canary against the majority baseline, by Brier score on the bars both scored."""
    evidence = Evidence()
    evidence.bet(better_brier(canary, majority))
    return Canary(evidence.reaches(CANARY_ALPHA), evidence.log_peak, evidence.bars)

"""Evidence that one learner is better than another, valid at any number of looks. Pure.

A gambler bets that the first is better, with stakes of several sizes: every bar multiplies each
stake by ``1 + size * d``, where ``d`` is how much better the first was. If, given the past, it is
never better in expectation, the money E is a supermartingale that begins at 1, and the chance that
it ever reaches 1 / alpha is at most alpha: J. Ville (1939); A. Ramdas et al., Game-theoretic
statistics and safe anytime-valid inference, Statistical Science 38 (2023).

Half of the money is staked at the first bar; the rest is idle and is staked bit by bit at later
bars. So a learner that became better only lately is found as well, though earlier stakes are lost
by then: J. Shin, A. Ramdas and A. Rinaldo, E-detectors (2022).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The best size is mean / mean square of the differences: 1 where a calibrated forecaster is better
# informed than the other, less where ours is overconfident, more where it is underconfident.
SIZES = np.array([0.25, 0.5, 1.0, 2.0])
RISK = 0.9  # the largest share of a stake that one bar can lose

AT_ONCE = 0.5  # the share of the money that is staked at the first bar
PATIENCE = 7200  # bars after which half of the rest is staked

LEAK_ALPHA = 0.001  # chance of a false alarm, over the whole life of a session


class Evidence:
    """A betting e-process.

    Attributes:
        log_value: the logarithm of E now; E itself would overflow in a long session.
        log_peak: the logarithm of the highest E so far.
        bars: the number of bars bet on so far.

    >>> evidence = Evidence()
    >>> path = evidence.bet(np.full(12, 0.4), np.full(12, 0.5))
    >>> evidence.reaches(0.05), evidence.reaches(0.001)
    (True, False)
    """

    def __init__(self) -> None:
        self.log_value = self.log_peak = 0.0
        self.bars = 0
        # Logarithms, by size: the growth of a stake made at the first bar, and the sum of all
        # stakes, each divided by the growth before it.
        self._growth = np.zeros(len(SIZES))
        self._staked = np.full(len(SIZES), -np.inf)

    def bet(self, better: Floats, most: Floats) -> Floats:
        """Bet on more bars; the result is the same, bit for bit, however bars are grouped.

        Args:
            better: ``(n,)`` how much better each forecast was; both were made before the label.
            most: ``(n,)`` the largest possible ``|better|``, known as early; it limits the sizes
                so that no bar can lose more than ``RISK`` of a stake.

        Returns:
            ``(n,)`` the logarithm of E after each bar.
        """
        if len(better) == 0:
            return np.zeros(0)
        # Rows are sizes, columns bars.
        sizes = np.minimum(SIZES[:, None], RISK / np.maximum(most, RISK / SIZES[-1]))
        steps = np.log1p(better * sizes)
        growth = np.cumsum(np.concatenate([self._growth[:, None], steps], axis=1), axis=1)
        stakes, idle = _plan(self.bars, len(better))
        placed = np.concatenate([self._staked[:, None], stakes - growth[:, :-1]], axis=1)
        staked = np.logaddexp.accumulate(placed, axis=1)[:, 1:]
        path: Floats = np.logaddexp(_log_mean(growth[:, 1:] + staked), idle)
        self.bars += len(better)
        self._growth, self._staked = growth[:, -1].copy(), staked[:, -1].copy()
        self.log_value = float(path[-1])
        self.log_peak = max(self.log_peak, float(path.max()))
        return path

    def reaches(self, alpha: float) -> bool:
        """Return whether E was ever at 1 / alpha or above."""
        return self.log_peak >= -math.log(alpha)

    @property
    def rate(self) -> float:
        """The expected growth of log E per bar: that of the best size over the bars so far."""
        return float(self._growth.max()) / max(self.bars, 1)


def _plan(start: int, n: int) -> tuple[Floats, Floats]:
    """Return the logarithms of the stakes at ``n`` bars from ``start`` on, and of the idle rest."""
    bar = np.arange(start, start + n)
    idle = (1 - AT_ONCE) * PATIENCE / (PATIENCE + bar)
    stakes = np.where(bar == 0, AT_ONCE, idle / np.maximum(PATIENCE + bar - 1, 1))
    return np.log(stakes), np.log(idle)


def _log_mean(logs: Floats) -> Floats:
    """Return the logarithm of the mean over the first axis, given logarithms."""
    top = logs.max(axis=0)
    mean: Floats = np.log(np.exp(logs - top).mean(axis=0)) + top
    return mean

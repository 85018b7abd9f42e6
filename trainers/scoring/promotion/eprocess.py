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
PATIENCE = 7200.0  # bars after which half of the rest is staked

LEAK_ALPHA = 0.001  # chance of a false alarm, over the whole life of a session


class Evidence:
    """A betting e-process.

    Args:
        patience: the number of bars after which half of the money that is idle at first is staked.

    Attributes:
        log_value: the logarithm of E now; E itself would overflow in a long session.
        log_peak: the logarithm of the highest E so far.
        bars: the number of bars bet on so far.
        growth: ``(4,)`` by size, the logarithm of what a stake made at the first bar has grown to.

    >>> evidence = Evidence()
    >>> path = evidence.bet(np.full(12, 0.4), np.full(12, 0.5))
    >>> evidence.reaches(0.05), evidence.reaches(0.001)
    (True, False)
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.log_value = self.log_peak = 0.0
        self.bars, self._patience = 0, patience
        self.growth = np.zeros(len(SIZES))
        # Logarithms, by size: the sum of all stakes, each divided by the growth before it.
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
        return self.bet_and_offer(better, most, np.zeros(0), np.zeros(0, np.int64))[0]

    def bet_and_offer(
        self, better: Floats, most: Floats, offered: Floats, after: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Bet on more bars; tell what E would be if a bet that is offered were lost in full.

        Args:
            better: ``(n,)`` as for ``bet``.
            most: ``(n,)`` as for ``bet``.
            offered: ``(k,)`` the largest possible ``|better|`` of bets that may be lost.
            after: ``(k,)`` the number of the ``n`` bars before each of them.

        Returns:
            ``(n,)`` the logarithm of E after each bar, and ``(k,)`` that after each loss.
        """
        # Rows are sizes, columns bars.
        steps = np.log1p(better * _sizes(most))
        growth = np.cumsum(np.concatenate([self.growth[:, None], steps], axis=1), axis=1)
        stakes, idle = _plan(self.bars + np.arange(len(better)), self._patience)
        placed = np.concatenate([self._staked[:, None], stakes - growth[:, :-1]], axis=1)
        staked = np.logaddexp.accumulate(placed, axis=1)
        path: Floats = np.logaddexp(_log_mean(growth[:, 1:] + staked[:, 1:]), idle)
        stakes, idle = _plan(self.bars + after, self._patience)
        grown, lost = growth[:, after], np.log1p(-offered * _sizes(offered))
        then = np.logaddexp(staked[:, after], stakes - grown)
        floors: Floats = np.logaddexp(_log_mean(grown + lost + then), idle)
        if len(path):
            self.bars += len(better)
            self.growth, self._staked = growth[:, -1].copy(), staked[:, -1].copy()
            self.log_value = float(path[-1])
            self.log_peak = max(self.log_peak, float(path.max()))
        return path, floors

    def reaches(self, alpha: float) -> bool:
        """Return whether E was ever at 1 / alpha or above."""
        return self.log_peak >= -math.log(alpha)

    @property
    def rate(self) -> float:
        """The expected growth of log E per bar: that of the best size over the bars so far."""
        return float(self.growth.max()) / max(self.bars, 1)


def _sizes(most: Floats) -> Floats:
    """Return the sizes of the bets on bars, ``(4, n)``."""
    sizes: Floats = np.minimum(SIZES[:, None], RISK / np.maximum(most, RISK / SIZES[-1]))
    return sizes


def _plan(bar: NDArray[np.int64], patience: float) -> tuple[Floats, Floats]:
    """Return the logarithms of the stakes at bars, by number from 0, and of the idle rest."""
    idle = (1 - AT_ONCE) * patience / (patience + bar)
    stakes = np.where(bar == 0, AT_ONCE, idle / np.maximum(patience + bar - 1, 1))
    return np.log(stakes), np.log(idle)


def _log_mean(logs: Floats) -> Floats:
    """Return the logarithm of the mean over the first axis, given logarithms."""
    top = logs.max(axis=0)
    mean: Floats = np.log(np.exp(logs - top).mean(axis=0)) + top
    return mean

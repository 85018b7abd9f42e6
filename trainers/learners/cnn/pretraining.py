"""What the linear experts of many markets have in common: where that of another market may start.

    bars of a market -> its weights and how sure they are -> mean and spread over the markets

A weight that is alike everywhere gets a small spread, and a session needs much to move it; one that
differs is learned anew. Source: B. Efron and C. Morris, Stein's estimation rule and its
competitors: an empirical Bayes approach (1973); maximised by the EM algorithm (A. Dempster, N.
Laird and D. Rubin, 1977). Nothing is drawn at random.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.cnn_datamodule import CNNDataModule
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.learners.cnn.forecaster import WindowNet, fitted_moments
from trainers.learners.linear import FEWEST_ROWS, fit_from

WIDE = 1.0  # the spread by which each market's own weights are fitted
USUAL_SD = 0.2  # as one more market would have it: two that agree by chance prove little
ROUNDS = 200


class MarketWeights(NamedTuple):
    """The linear expert of one market.

    Attributes:
        weights: ``(D + 1,)``, the bias last.
        variances: ``(D + 1,)`` how unsure they are.
        moved: the number of windows that they were learned from.
    """

    weights: NDArray[np.float64]
    variances: NDArray[np.float64]
    moved: int


def weights_of(bars: Bars, features: str, label: str, horizon: int) -> MarketWeights | None:
    """Learn the weights of one market; None if too few of its prices moved.

    Args:
        bars: ``(T,)`` of dtype ``BAR``, oldest first.
        features: name of the feature set.
        label: the price whose move is forecast.
        horizon: how many bars ahead.

    Raises:
        NotEnoughBarsError: if there are fewer bars than a window with its label needs.
    """
    snapshot = Snapshot("", 0, bars, 0)
    data = CNNDataModule(
        snapshot, features=features, updates=0, batch_size=1, rng=snapshot.rng(""), label=label,
        horizon=horizon,
    )  # fmt: skip
    if len(data.moved) < FEWEST_ROWS:
        return None
    seen, up = fitted_moments(WindowNet(features), data)
    mean = np.zeros(seen.shape[1] + 1)
    return MarketWeights(*fit_from(seen, up, mean, np.full(len(mean), WIDE)), len(up))


def in_common(markets: list[MarketWeights]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what to expect of another market.

    Args:
        markets: two or more; each counts alike.

    Returns:
        ``(D + 1,)`` the mean and ``(D + 1,)`` the spread of each weight over the markets. The mean
        of the bias is 0: no market is expected to rise.
    """
    weights, unsure = (np.stack([market[i] for market in markets]) for i in (0, 1))
    variance = np.full(weights.shape[1], USUAL_SD**2)
    for _ in range(ROUNDS):
        trust = 1 / (unsure + variance)
        mean = (trust * weights).sum(0) / trust.sum(0)
        left = 1 / (1 / unsure + 1 / variance)  # of a market's weights, given all that is known
        likely = left * (weights / unsure + mean / variance)
        found = ((likely - mean) ** 2 + left).sum(0)
        variance = (found + USUAL_SD**2) / (len(markets) + 1)
    mean[-1] = 0.0
    return mean, np.sqrt(variance)

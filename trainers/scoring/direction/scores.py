"""How well a learner forecasts the direction, each score with its interval. Pure.

All scores take the scored forecasts, ``n`` > 0; a score that they do not allow is None. A
probability of one half forecasts no direction and counts as half right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.interval import Estimate, half_width, mean_of
from trainers.scoring.scored import Samples

Floats = NDArray[np.float64]

# A forecast of 0 or 1 that is wrong would cost an infinite log-loss.
SURE = 1e-6


def accuracy(samples: Samples) -> Estimate:
    """Return the share of right directions."""
    return mean_of(_hits(_sides(samples), samples.up))


def log_loss(samples: Samples) -> Estimate:
    """Return the mean of ``log_losses``, nats."""
    return mean_of(log_losses(samples.probability, samples.up))


def brier(samples: Samples) -> Estimate:
    """Return the mean of ``brier_scores``, 0 to 1."""
    return mean_of(brier_scores(samples.probability, samples.up))


def log_losses(probability: Floats, up: Floats) -> Floats:
    """Return minus the logarithm of the probability of the true direction, ``(n,)``, nats."""
    of_truth = np.where(up > 0, probability, 1 - probability)
    losses: Floats = -np.log(np.clip(of_truth, SURE, 1 - SURE))
    return losses


def brier_scores(probability: Floats, up: Floats) -> Floats:
    """Return the squared error of the probability, ``(n,)``: G. Brier (1950)."""
    return np.square(probability - up)


def mcc(samples: Samples) -> Estimate | None:
    """Return Matthews' coefficient, the correlation of forecast and true direction (1975)."""
    sides, came = _sides(samples), 2 * samples.up - 1
    if np.ptp(sides) == 0 or np.ptp(came) == 0:
        return None
    x, y = ((side - side.mean()) / side.std() for side in (sides, came))
    value = float((x * y).mean())
    # Source: S. Devlin et al., Robust estimation with correlation coefficients, Biometrika (1975).
    return Estimate(value, half_width(x * y - value * (x * x + y * y) / 2))


def kappa(samples: Samples) -> Estimate | None:
    """Return kappa-temporal: the share of the no-change forecast's errors that are avoided.

    No-change forecasts the newest direction known; while there is none it counts as half right.
    Source: I. Zliobaite et al., Evaluation methods and decision theory for classification of
    streaming data with temporal dependence, Machine Learning 98 (2015).
    """
    ours, repeated = _hits(_sides(samples), samples.up), _hits(samples.before, samples.up)
    p, p_nc = float(ours.mean()), float(repeated.mean())
    if p_nc == 1:
        return None
    influence = (ours - p) / (1 - p_nc) + (repeated - p_nc) * (p - 1) / (1 - p_nc) ** 2
    return Estimate((p - p_nc) / (1 - p_nc), half_width(influence))


def _sides(samples: Samples) -> Floats:
    """Return the forecast direction: 1, -1, or 0 if none."""
    return np.sign(samples.probability - 0.5)


def _hits(sides: Floats, up: Floats) -> Floats:
    """Return 1 where the forecast direction is right, 0 where it is wrong, 0.5 without one."""
    return 0.5 + sides * (up - 0.5)

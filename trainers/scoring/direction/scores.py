"""How well a learner forecasts the direction, each score with its interval. Pure.

All scores take the scored forecasts, one at least; a score that they do not allow is None.
"""

from __future__ import annotations

import math

from trainers.scoring.direction.cases import (
    BRIER,
    CAME,
    HIT,
    LOG_LOSS,
    REPEATED,
    SAID,
    SIDE,
    Directions,
)
from trainers.scoring.interval import Estimate


def accuracy(directions: Directions) -> Estimate:
    """Return the share of right directions."""
    return directions.cases.mean_of(HIT)


def log_loss(directions: Directions) -> Estimate:
    """Return the mean of ``log_losses``, nats."""
    return directions.cases.mean_of(LOG_LOSS)


def brier(directions: Directions) -> Estimate:
    """Return the mean of ``brier_scores``, 0 to 1."""
    return directions.cases.mean_of(BRIER)


def mcc(directions: Directions) -> Estimate | None:
    """Return Matthews' coefficient, the correlation of forecast and true direction (1975)."""
    cases = directions.cases
    side, came = cases.mean(SIDE), cases.mean(CAME)
    # Both are sums of 1, 0 and -1, and exact: 0 where all directions are alike.
    spread = cases.n * cases.total(SAID) - cases.total(SIDE) ** 2
    if spread == 0 or abs(came) == 1:
        return None
    of_side, of_came = math.sqrt(spread) / cases.n, math.sqrt(1 - came**2)
    both = 2 * cases.mean(HIT) - 1  # the mean of side times came
    value = (both - side * came) / (of_side * of_came)
    # x y - value (x^2 + y^2) / 2 of the standardised x and y, by its terms. Source: S. Devlin et
    # al., Robust estimation with correlation coefficients, Biometrika 62 (1975).
    product = 1 / (of_side * of_came)
    weights = {
        HIT: 2 * product,
        SIDE: value * side / of_side**2 - came * product,
        CAME: value * came / of_came**2 - side * product,
        SAID: -value / (2 * of_side**2),
    }
    return Estimate(value, cases.width(weights))


def kappa(directions: Directions) -> Estimate | None:
    """Return kappa-temporal: the share of the no-change forecast's errors that are avoided.

    No-change forecasts the newest direction known; while there is none it counts as half right.
    Source: I. Zliobaite et al., Evaluation methods and decision theory for classification of
    streaming data with temporal dependence, Machine Learning 98 (2015).
    """
    cases = directions.cases
    p, p_nc = cases.mean(HIT), cases.mean(REPEATED)
    if p_nc == 1:
        return None
    weights = {HIT: 1 / (1 - p_nc), REPEATED: (p - 1) / (1 - p_nc) ** 2}
    return Estimate((p - p_nc) / (1 - p_nc), cases.width(weights))

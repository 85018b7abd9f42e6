"""Logistic regression with a ridge, the exact fit of a linear view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

RIDGE = 10.0  # a weight of 1 a standard deviation costs 5 nats in all
FEWEST = 20  # rows; fewer say nothing about a dozen weights


def fit_logistic(
    x: NDArray[np.float64], up: NDArray[np.bool]
) -> tuple[NDArray[np.float64], float] | None:
    """Return weights ``(D,)`` and bias of the logit of up.

    Args:
        x: ``(N, D)`` standardised.
        up: ``(N,)``.

    Returns:
        None where there is nothing to fit: fewer than 20 rows, or all of one direction.
    """
    if len(up) < FEWEST or up.all() or not up.any():
        return None
    found = LogisticRegression(C=1 / RIDGE, max_iter=200).fit(x, up)
    return found.coef_[0], float(found.intercept_[0])

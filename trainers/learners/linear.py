"""Logistic regression with a ridge penalty, fitted exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

RIDGE = 10.0  # a weight of 1 per standard deviation costs 5 nats in total
MOST = 700.0  # a logit; the exponential of a larger one is infinite
FEWEST = 20  # rows; fewer cannot support a dozen weights


def probabilities(
    x: NDArray[np.float64], weights: NDArray[np.float64], bias: float
) -> NDArray[np.float64]:
    """Return the probabilities ``(N,)`` of a rise, given rows ``(N, D)``.

    The columns are added in order, so that a row's value is the same bits whatever rows are beside
    it: a product of matrices has an order of its own for each size.
    """
    logits = np.full(len(x), bias)
    for column, weight in zip(x.T, weights, strict=True):
        logits += column * weight
    found: NDArray[np.float64] = 1 / (1 + np.exp(-logits.clip(-MOST, MOST)))
    return found


def fit_logistic(
    x: NDArray[np.float64], up: NDArray[np.bool]
) -> tuple[NDArray[np.float64], float] | None:
    """Fit the logit of a rise, linear in the rows.

    Args:
        x: ``(N, D)`` standardised rows.
        up: ``(N,)`` whether the close rose after each row.

    Returns:
        The weights ``(D,)`` and the bias; None if there is nothing to fit: fewer than 20 rows, or
        only one direction.
    """
    if len(up) < FEWEST or up.all() or not up.any():
        return None
    found = LogisticRegression(C=1 / RIDGE, max_iter=200).fit(x, up)
    return found.coef_[0], float(found.intercept_[0])

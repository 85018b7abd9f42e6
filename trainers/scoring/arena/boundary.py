"""How far a sum of score differences can be off its expectation, at any number of looks. Pure.

With ``d`` a difference, ``g`` what one expected of it by the mean of those before, and ``c`` a
bound of ``|d - g|`` that is known before the label,

    exp(l (d - E d) - f(l) (d - g)^2),    f(l) = (-log(1 - c l) - c l) / c^2,    0 < l < 1 / c

has an expectation of 1 at most, given the past: X. Fan, I. Grama and Q. Liu, Exponential
inequalities for martingales with applications, EJP 20 (2015). So the product over all bars is a
supermartingale, and so is a mean of such products over several ``l``; the chance that it ever
reaches 1 / alpha is alpha at most (J. Ville, 1939). Nothing is assumed of the market: what is
bounded is the sum less the sum of its own expectations, whatever these were. Source: Y. Choe and
A. Ramdas, Comparing sequential forecasters, Operations Research (2023), theorem 2; the mean over
``l`` is the discrete mixture of S. Howard et al., Time-uniform, nonparametric, nonasymptotic
confidence sequences, Annals of Statistics 49 (2021).

If ``c`` grows, ``f`` grows with it for all bars so far: that only makes the product smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The best l is mean over variance of the differences: 1 where a calibrated forecaster is better
# informed than the other. Small ones are for long sessions, whose means are known well.
SIZES = 2.0 ** np.arange(1, -10, -1)
STEPS = 8  # of Newton's method, which comes down from above: each interval is wide enough


def log_mixture(off: Floats, spread: Floats, bound: Floats) -> Floats:
    """Return the logarithm of the supermartingale, ``(...,)``.

    Args:
        off: ``(...,)`` the sum of the differences less that of their expectations.
        spread: ``(...,)`` the sum of the squares ``(d - g)^2``.
        bound: ``(...,)`` the largest ``c`` so far, at most 2.
    """
    logs, _ = _terms(off, spread, bound)
    top = logs.max(axis=-1)
    found: Floats = top + np.log(np.exp(logs - top[..., None]).sum(axis=-1))
    return found


def reach(spread: Floats, bound: Floats, alpha: float) -> Floats:
    """Return how far the sum is off its expectation at most, ``(...,)``, upwards or downwards.

    Each direction errs with the chance ``alpha`` at most, over all looks together.

    Args:
        spread: as in ``log_mixture``.
        bound: as in ``log_mixture``.
        alpha: the chance, in (0, 1).
    """
    wanted = -np.log(alpha)
    nothing, sizes = _terms(np.zeros_like(spread), spread, bound)
    found: Floats = ((wanted - nothing) / sizes).min(axis=-1)  # each term alone reaches it there
    for _ in range(STEPS):
        logs, _ = _terms(found, spread, bound)
        top = logs.max(axis=-1, keepdims=True)
        shares = np.exp(logs - top)
        total = shares.sum(axis=-1)
        height, slope = top[..., 0] + np.log(total), (shares * sizes).sum(axis=-1) / total
        found = found - np.maximum(height - wanted, 0.0) / slope
    return found


def _terms(off: Floats, spread: Floats, bound: Floats) -> tuple[Floats, Floats]:
    """Return the logarithms ``(..., L)`` of the terms of the mixture, and their sizes."""
    c = np.maximum(bound, 1e-9)[..., None]
    reached = c * SIZES
    allowed = reached < 1
    cost = (-np.log1p(-np.where(allowed, reached, 0.0)) - np.where(allowed, reached, 0.0)) / c**2
    logs = SIZES * off[..., None] - cost * spread[..., None] - np.log(len(SIZES))
    return np.where(allowed, logs, -np.inf), np.where(allowed, SIZES, 1.0)

"""The markets, of many, in which a learner is proven better; few are named falsely. Pure.

With one test a market, each at 5 %, five of a hundred markets in which nothing can be known would
look proven. The e-BH procedure keeps the expected share of false ones among those it names at most
at ``fdr``, however the markets depend on each other: R. Wang and A. Ramdas, False discovery rate
control with e-values, Journal of the Royal Statistical Society B 84 (2022).

An e-value is what an e-process stands at when one looks, at any time; its highest value so far is
none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

FDR = 0.05


def log_e_of_best(log_values: Iterable[float]) -> float:
    """Return the logarithm of the e-value for "better than the best baseline".

    Whoever is not better than the best is not better than some baseline, and the least e-value is
    at most that baseline's.

    Args:
        log_values: the logarithms of the e-values for "better than this baseline". Without any,
            nothing was compared: the e-value is 1.
    """
    return min(log_values, default=0.0)


def log_e_of_market(log_values: Iterable[float]) -> float:
    """Return the logarithm of the e-value for "some learner here is better than the best baseline".

    It is the mean of the learners' e-values: if none is better, each has an expectation of at most
    1, and so has their mean, however they depend on each other. Without a learner it is that of 1.

    >>> log_e_of_market([3.0, 3.0]), log_e_of_market([])
    (3.0, 0.0)
    """
    values = list(log_values)
    top = max(values, default=0.0)
    total = math.fsum(math.exp(value - top) for value in values)
    return top + math.log(total / len(values)) if values else 0.0


def discoveries(log_values: Mapping[str, float], fdr: float = FDR) -> list[str]:
    """Return the markets in which the learner is proven better, the strongest evidence first.

    Args:
        log_values: the logarithm of the e-value, by market; every market that was looked at.
        fdr: bound on the expected share of false ones among those returned, in (0, 1).

    >>> discoveries({"BTC": 5.0, "ETH": 3.9, "SOL": 0.0, "TRX": -1.0})  # log(4 / .05) = 4.4
    ['BTC', 'ETH']
    """
    ranked = sorted(log_values, key=lambda market: log_values[market], reverse=True)
    for k in range(len(ranked), 0, -1):
        if log_values[ranked[k - 1]] >= math.log(len(ranked) / (fdr * k)):
            return ranked[:k]
    return []

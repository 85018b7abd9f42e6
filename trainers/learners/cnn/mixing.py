"""Expert weights: how much each of several forecasters counts, by its past forecasts. Pure.

The weights learn slowly. A mixture that takes Bayes' rule's whole step soon trusts one expert
alone, although the mean of several that err differently is better than each. With a third of the
step it finds such a mean. Its total log-loss is still at most ln K / 0.3 above that of the best of
K experts, on any data (L. Orseau, T. Lattimore and S. Legg, Soft-Bayes: Prod for mixtures of
experts with log-loss, 2017; with the whole step, V. Vovk, Aggregating strategies, 1990).
Redistributing a small share of the weights after each bar lets the mixture follow when another
expert becomes the best (M. Herbster and M. Warmuth, Tracking the best expert, 1998).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The share of Bayes' rule's step that is taken after each bar.
STEP = 0.3

# The share of the weights that is redistributed evenly after each bar. The part that goes to worse
# experts costs the mixture for ever, so it is small. It is large enough that an expert which has
# become better by 0.05 nats per bar takes over in a quarter of an hour.
SHARE = 1e-4

SURE = 1e-6  # the lowest likelihood of a bar, so that no single bar takes an expert's whole weight


def log_weights_after(
    log_weights: NDArray[np.float64], forecasts: NDArray[np.float64], up: NDArray[np.bool]
) -> NDArray[np.float64]:
    """Return the logarithms of the expert weights after some bars, given those before them.

    Args:
        log_weights: ``(K,)`` logarithms of the weights before these bars; they may have any sum.
        forecasts: ``(n, K)`` the experts' forecasts, probabilities of a rise, oldest bar first.
        up: ``(n,)`` whether the price forecast rose by the horizon.

    Returns:
        ``(K,)`` logarithms of weights that add up to 1.
    """
    share = np.exp(log_weights - log_weights.max())
    share /= share.sum()
    likely = np.where(up[:, None], forecasts, 1 - forecasts).clip(SURE, 1)
    for bar in likely:
        share = share * (1 - STEP + STEP * bar / (share @ bar))
        share = (1 - SHARE) * share / share.sum() + SHARE / len(share)
    weights: NDArray[np.float64] = np.log(share)
    return weights

"""Trust in several forecasters by what their forecasts were worth. Pure.

A mixture weighted by past likelihoods has a total log-loss at most ln K above that of the best of
K forecasters, on any data (V. Vovk, Aggregating strategies, 1990). Giving back a small share of
the trust after each bar lets it follow when another becomes the best (M. Herbster and
M. Warmuth, Tracking the best expert, 1998).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Shared out evenly after each bar. What the worse ones hold of it costs the mixture for ever, so it
# is small: a forecaster that has become better by 0.05 nats a bar takes over in 4 minutes.
SHARE = 1e-4

SURE = 1e-6  # no single bar takes all trust away


def trust_after(
    log_trust: NDArray[np.float64], said: NDArray[np.float64], up: NDArray[np.bool]
) -> NDArray[np.float64]:
    """Return the trust after some bars were seen.

    Args:
        log_trust: ``(K,)`` before them, as logarithms, of any sum.
        said: ``(n, K)`` probabilities of up, oldest bar first.
        up: ``(n,)`` what came.

    Returns:
        ``(K,)`` logarithms of shares that add up to 1.
    """
    share = np.exp(log_trust - log_trust.max())
    share /= share.sum()
    likely = np.where(up[:, None], said, 1 - said).clip(SURE, 1)
    for bar in likely:
        share = share * bar
        share = (1 - SHARE) * share / share.sum() + SHARE / len(share)
    trust: NDArray[np.float64] = np.log(share)
    return trust

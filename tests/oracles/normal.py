"""The standard normal distribution and expectations under it, without scipy.

The exchange and the session load these rooms, and scipy takes longer to load than they do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# E f(Z) = WEIGHTS @ f(NODES). The trapezoid rule is exact to the last digits for a smooth f, and
# its dense nodes, unlike those of Gauss and Hermite, nearly so for one with a kink.
NODES = np.linspace(-7, 7, 141)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()

MEAN_SIZE = math.sqrt(2 / math.pi)  # E |Z|


def cdf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(Z <= x), ``(n,)`` of ``(n,)``."""
    return np.fromiter(map(math.erfc, (x / -math.sqrt(2)).tolist()), np.float64, len(x)) / 2

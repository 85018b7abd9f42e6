"""An estimate with its 95 % interval, for samples that depend on their neighbours. Pure.

Every score is close to a mean of *influence values*, one per case: how far that case alone pulls
the score. (A mean's are its values; F. Hampel, The influence curve, JASA 69, 1974.) Neighbouring
bars depend on each other, so the standard error of that mean is taken from means of overlapping
blocks of consecutive samples: M. Meketon and B. Schmeiser, Overlapping batch means (1984). A block
has sqrt(n) of the n samples: J. Flegal and G. Jones, Batch means and spectral variance estimators
in Markov chain Monte Carlo, Annals of Statistics 38 (2010); where labels overlap, at least four
times as many as their overlap, so that a twelfth of the variance is missed at most. There are few
blocks, so the width is Student's t with 1.5 (n / block - 1) degrees of freedom, 1.96 standard
errors where n is large.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z = 1.959964  # 97.5 % quantile of the standard normal
FEWEST_BLOCKS = 3
MIN_CASES = 6  # three blocks of two
NO_SPREAD = 1e-12  # influence values closer than that differ by rounding alone
OVERLAPS = 4  # the least length of a block, in overlaps of labels


class Estimate(NamedTuple):
    """A score.

    Attributes:
        value: the score of the samples seen.
        half_width: half the width of the 95 % interval around ``value``; None if there are too few
            samples, or all are alike.
    """

    value: float
    half_width: float | None = None


def half_width(means: NDArray[np.float64], size: int = 1, overlap: int = 0) -> float | None:
    """Return the half-width of the 95 % interval of a score.

    Args:
        means: ``(m,)`` the influence values in order of time, in the score's unit, or their means
            over batches of neighbours.
        size: the number of cases in a batch.
        overlap: with how many later ones a case has a part of its label in common.
    """
    m, n = len(means), len(means) * size
    block = max(1, max(math.isqrt(n), OVERLAPS * overlap) // size)  # batches
    if n < MIN_CASES or m < FEWEST_BLOCKS * block or np.ptp(means) < NO_SPREAD:
        return None
    sums = np.concatenate([[0.0], np.cumsum(means - means.mean())])
    blocks = (sums[block:] - sums[:-block]) / block
    variance = block / ((m - block) * (m - block + 1)) * float(np.square(blocks).sum())
    return student(1.5 * (m / block - 1)) * math.sqrt(variance)


def scaled_width(influence: NDArray[np.float64], n: int, overlap: int = 0) -> float | None:
    """Return the half-width of the interval of a score of ``n`` cases.

    How the influence of a case depends on its probability changes with every case after it, so
    that it cannot be summed once and for all. Its variance is that of the newest cases instead:
    the interval is theirs, narrower by the square root of how many more cases there are. A window
    has no others, and nothing changes.

    Args:
        influence: ``(k,)`` the influence values of the newest cases, in order of time.
        n: the number of all cases.
        overlap: as for ``half_width``.
    """
    width = half_width(influence, overlap=overlap)
    return None if width is None else width * math.sqrt(len(influence) / n)


def student(freedom: float) -> float:
    """Return the 97.5 % quantile of Student's t, within 1 % from 3 degrees of freedom on.

    Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.5.

    >>> [round(student(freedom), 2) for freedom in (3, 10, 1000)]  # 3.18, 2.23, 1.96
    [3.16, 2.23, 1.96]
    """
    z = Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def rate_of(hits: int, n: int) -> Estimate:
    """Return a rate of independent samples, ``n`` > 0, which may be few.

    The half-width reaches to the farther end of E. Wilson's score interval, Probable inference,
    JASA 22 (1927), which is sound from the first case on.
    """
    rate = hits / n
    shrunk = 1 + Z**2 / n
    centre = (rate + Z**2 / (2 * n)) / shrunk
    arm = Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2)) / shrunk
    return Estimate(rate, abs(centre - rate) + arm)

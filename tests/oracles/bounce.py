"""Last prices hop between bid and ask, and so look predictable: by how much, exactly.

The mid is a martingale, log close = mid + half_spread * side, and the side of each bar's last trade
is a toss-up. The rule "the close moves against the last side" is right in 3 bars of 4 if the spread
is wide, and loses the half spread with every trade. An accuracy on last prices means little unless
it is above this one.

Source: R. Roll, A simple implicit measure of the effective bid-ask spread (1984).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from streaming.exchange.markets.processes.process import Floats
from tests.oracles.bayes import Answer, answer_of


def up_after(side: NDArray[np.int8], half_spread: float) -> Floats:
    """Return ``(n,)`` the exact probability that the next close is higher than this one.

    Args:
        side: ``(n,)`` of each bar's last taker, +1 or -1.
        half_spread: in standard deviations of the mid's move of a bar.
    """
    back = _taken_back(half_spread)
    return np.where(side > 0, 1 - back, back)


def bounce_answer(half_spread: float) -> Answer:
    """Return the figures of ``up_after``."""
    return answer_of(np.array([_taken_back(half_spread)]))


def _taken_back(half_spread: float) -> float:
    """Return how often the close moves against its last taker.

    The next side is the same half of the time, and the mid decides. Otherwise the whole spread
    comes on top of the mid's move.
    """
    return 0.25 + float(ndtr(2 * half_spread)) / 2

"""How long a venue's trades take to come here: the mean, and how much it varies. Pure.

By two clocks that need not agree: a constant difference between them is part of the delay, and does
no harm where only "has a trade of that second come by now?" is asked.
"""

from __future__ import annotations

from streaming.ticks import NS_PER_MS

# Weights of a new value, and how many mean deviations are allowed for.
# Source: V. Paxson et al., RFC 6298, Computing TCP's Retransmission Timer (2011), section 2.
MEAN_WEIGHT, DEVIATION_WEIGHT, DEVIATIONS = 1 / 8, 1 / 4, 4
FIRST_DEVIATION_NS = 100 * NS_PER_MS


class Delay:
    """Running estimate for one market."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = float(FIRST_DEVIATION_NS)

    def add(self, delay_ns: int) -> None:
        """Take the delay of the newest trade of a batch, ns."""
        if self._mean is None:
            self._mean = float(delay_ns)
            return
        off = delay_ns - self._mean
        self._deviation += DEVIATION_WEIGHT * (abs(off) - self._deviation)
        self._mean += MEAN_WEIGHT * off

    @property
    def mean_ns(self) -> int | None:
        """How long a trade takes on average, ns; None before the first."""
        return None if self._mean is None else int(self._mean)

    @property
    def most_ns(self) -> int | None:
        """How long a trade may take, ns; None before the first."""
        if self._mean is None:
            return None
        return int(self._mean + DEVIATIONS * self._deviation)

"""The deepest fall of a profit that grows bar by bar. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Fall(NamedTuple):
    """The deepest fall so far, and what the next bars need to know.

    Levels are the profit after so many bars, which begins at 0.

    Attributes:
        bars: the number of bars.
        level: the profit after them.
        peak: the highest level so far.
        peak_at: the number of bars after which it was reached.
        deepest: the deepest fall from an earlier peak, >= 0.
        top: the number of bars after which that fall began.
        low: the number of bars after which it was deepest.
    """

    bars: int = 0
    level: float = 0.0
    peak: float = 0.0
    peak_at: int = 0
    deepest: float = 0.0
    top: int = 0
    low: int = 0

    def plus(self, profits: NDArray[np.float64]) -> Fall:
        """Return the fall after more bars; no bit depends on how they are grouped."""
        if len(profits) == 0:
            return self
        levels = np.cumsum(np.concatenate([[self.level], profits]))
        peaks = np.maximum.accumulate(np.maximum(levels, self.peak))
        new = np.where(levels[1:] > peaks[:-1], self.bars + np.arange(1, len(levels)), -1)
        peak_at = np.maximum.accumulate(np.concatenate([[self.peak_at], new]))
        falls = peaks - levels
        low = int(falls.argmax())
        fall = Fall(self.bars + len(profits), float(levels[-1]), float(peaks[-1]), int(peak_at[-1]),
                    self.deepest, self.top, self.low)  # fmt: skip
        if falls[low] <= self.deepest:
            return fall
        return fall._replace(deepest=float(falls[low]), top=int(peak_at[low]), low=self.bars + low)

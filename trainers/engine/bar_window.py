"""The newest bars of a market, without copying all of them at each new one. Pure."""

from __future__ import annotations

import numpy as np

from streaming.bars import BAR, Bars

ROOM = 1024  # bars; more room, in proportion, behind a long window


class BarWindow:
    """The newest bars, in an array that has room behind them.

    An array that was handed out never changes: new bars are written behind it, and once there is
    no room left, into a new array.

    Args:
        most: the number of bars to keep.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._array, self._stop = np.zeros(0, BAR), 0

    @property
    def bars(self) -> Bars:
        """``(T,)`` the newest bars, at most ``most``; read-only."""
        return self.newest(self._most)

    def newest(self, n: int) -> Bars:
        """Return the newest ``n`` bars, or as many as there are; read-only."""
        found = self._array[max(0, self._stop - n) : self._stop]
        found.flags.writeable = False
        return found

    def append(self, new: Bars) -> None:
        """Add bars; of the older ones ``most`` are kept."""
        if self._stop + len(new) > len(self._array):
            kept = self.bars
            self._array = np.zeros(len(kept) + len(new) + ROOM + len(kept) // 4, BAR)
            self._array[: len(kept)], self._stop = kept, len(kept)
        self._array[self._stop : self._stop + len(new)] = new
        self._stop += len(new)

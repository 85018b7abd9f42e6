"""Which bars are final by what was sent: what a trainer can have forecast on. Pure.

It knows no more of bars than that: a bar is final once an event at least the grace past
its end has come, and after a long silence the series begins anew (``streaming.bars``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.bars import MAX_CARRY_S
from streaming.ticks import NS_PER_S


class FinalBars:
    """The newest final bar of one symbol.

    Args:
        grace_ns: how far past a bar's end an event must be to make the bar final, ns.
        bar_ns: the length of a bar, ns.

    Attributes:
        newest_time: the latest event time sent, ns; 0 if there is none.
        newest_bar: when the newest final bar opened, ns; 0 if there is none.
    """

    def __init__(self, grace_ns: int, bar_ns: int = NS_PER_S) -> None:
        self._grace_ns, self._bar_ns = grace_ns, bar_ns
        self._first = 0  # the place of the bar with which the series has begun
        self.newest_time = 0
        self.newest_bar = 0

    def next_step(self, times: NDArray[np.int64]) -> int:
        """Return the index of the first event that makes another bar final; n if none does.

        Args:
            times: ``(n,)`` event times in the order of sending, ns; 0 moves nothing.
        """
        end = self._boundary(self.newest_time) + 1
        moves = np.flatnonzero(times >= end * self._bar_ns + self._grace_ns)
        return int(moves[0]) if len(moves) else len(times)

    def add(self, times: NDArray[np.int64]) -> None:
        """Take note that events of ``times``, ``(n,)`` in ns, have been sent."""
        times = times[times > 0]
        if len(times) == 0:
            return
        if self.newest_time == 0:
            self.newest_time = int(times[0])
            self._first = self.newest_time // self._bar_ns
        newest = np.maximum.accumulate(np.concatenate([[self.newest_time], times]))
        breaks = np.flatnonzero(np.diff(newest) > MAX_CARRY_S * NS_PER_S)
        if len(breaks):
            before, after = newest[breaks[-1] : breaks[-1] + 2] // self._bar_ns
            self.newest_bar, self._first = int(before) * self._bar_ns, int(after)
        self.newest_time = int(newest[-1])
        final = self._boundary(self.newest_time) - 1
        if final >= self._first:
            self.newest_bar = final * self._bar_ns

    def _boundary(self, time: int) -> int:
        """Return the place below which all bars are final."""
        return (time - self._grace_ns) // self._bar_ns

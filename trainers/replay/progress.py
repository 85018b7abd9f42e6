"""The progress bar of a replay or a backtest, in market time."""

from __future__ import annotations

import sys
import time

from streaming.program.console import say

WIDTH = 30
SHOW_SECONDS = 1.0  # between two updates on a terminal
LINE_SECONDS = 10.0  # between two updates elsewhere, where each is a new line


class ProgressBar:
    """Shows progress on stderr.

    Args:
        total: the market time to replay, s.
        name: what the line begins with.
    """

    def __init__(self, total: float, name: str = "replay") -> None:
        self._total, self._name = max(total, 1e-9), name
        self._started = self._shown = time.monotonic()
        self._done = 0.0
        self._terminal = sys.stderr.isatty()

    @property
    def speed(self) -> float:
        """The speed so far, in market seconds per second."""
        return self._done / max(time.monotonic() - self._started, 1e-9)

    def show(self, done: float) -> None:
        """Show that ``done`` s of market time are done, unless the last update is too recent."""
        self._done = done
        now = time.monotonic()
        last = done >= self._total
        if last or now - self._shown >= (SHOW_SECONDS if self._terminal else LINE_SECONDS):
            self._shown = now
            end = "\n" if last or not self._terminal else ""
            start = "\r" if self._terminal else ""
            say(f"{start}{self._line(done)}", error=True, end=end)

    def _line(self, done: float) -> str:
        share = min(1.0, done / self._total)
        bar = "#" * round(WIDTH * share)
        return (
            f"{self._name} [{bar:<{WIDTH}}] {share:4.0%}  {_clock(done)} of {_clock(self._total)}  "
            f"{self.speed:.0f} times real time{self._left(done)}"
        )

    def _left(self, done: float) -> str:
        """Return how long it will take from here, if that can be told."""
        left = self._total - done
        return f", {_clock(left / self.speed)} left" if done > 0 and left > 0 else ""


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"

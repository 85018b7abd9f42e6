"""The progress bar of a replay, in market time."""

from __future__ import annotations

import sys
import time

from streaming.console import say

WIDTH = 30
SHOW_SECONDS = 1.0  # between two updates on a terminal
LINE_SECONDS = 10.0  # between two updates elsewhere, where each is a new line


class Progress:
    """Shows a replay's progress on stderr.

    Args:
        total: the market time to replay, s.
    """

    def __init__(self, total: float) -> None:
        self._total = max(total, 1e-9)
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
            f"replay [{bar:<{WIDTH}}] {share:4.0%}  {_clock(done)} of {_clock(self._total)}  "
            f"{self.speed:.1f} times real time"
        )


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"

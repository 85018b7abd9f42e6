"""How far a tape has been played, how fast, and how long it will take."""

from __future__ import annotations

import collections
import contextlib
from pathlib import Path

from streaming.errors import ConfigError
from streaming.market_clock import CLOCK, MarketClock
from streaming.ticks import NS_PER_S
from ui.views.formatting import duration
from ui.views.view_model import Texts

LOOK_BACK_NS = 30 * NS_PER_S  # of our time, over which the speed is measured


class TapeProgress:
    """Follows the clock of a tape, which the exchange saves each second.

    Args:
        folder: the session's.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / CLOCK
        self._seen: collections.deque[MarketClock] = collections.deque()

    def texts(self, *, over: bool) -> Texts:
        """Return the text of the stream's card; empty if no tape is played.

        Args:
            over: whether the session has ended.
        """
        with contextlib.suppress(ConfigError):
            clock = MarketClock.read(self._file)
            if clock is not None and clock.played is not None:
                played = f"{100 * clock.played:.0f} % played"
                return {"stream.tape": played if over else self._text(clock)}
        return {"stream.tape": ""}

    def _text(self, clock: MarketClock) -> str:
        if not self._seen or clock.wall_ns > self._seen[-1].wall_ns:
            self._seen.append(clock)
        while clock.wall_ns - self._seen[0].wall_ns > LOOK_BACK_NS:
            self._seen.popleft()
        return progress(self._seen[0], clock)


def progress(before: MarketClock, now: MarketClock) -> str:
    """Return the text for a tape, given its clock some seconds ago and now.

    >>> hour = 3600 * NS_PER_S
    >>> before = MarketClock(0, hour, 10.0, hour, 3 * hour)
    >>> progress(before, MarketClock(60 * NS_PER_S, hour + hour // 10, 10.0, hour, 3 * hour))
    '5 % at 6.0 x, 19.0 min left'
    >>> progress(before, before)
    '0 %, waiting for its trainer'
    """
    share = f"{100 * (now.played or 0.0):.0f} %"
    if now.market_ns >= now.end_ns:
        return f"{share}, at its end"
    moved, took = now.market_ns - before.market_ns, now.wall_ns - before.wall_ns
    if moved <= 0 or took <= 0:
        return f"{share}, waiting for its trainer"
    left = (now.end_ns - now.market_ns) / NS_PER_S * took / moved
    return f"{share} at {moved / took:.1f} x, {duration(left)} left"

"""A market's live stream: the rings that the session's feed writes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.cache import bar_ring, tick_cache
from streaming.counters import STATS, ConnectionState
from streaming.ring import Rows


class LiveStream:
    """The tick cache and the bar ring of one market, opened for reading.

    Args:
        session: the session's folder.
        market: the market's symbol.

    Raises:
        FileNotFoundError: if the feed has not created them yet.
    """

    def __init__(self, session: Path, market: str) -> None:
        self._ticks, self._bars = tick_cache(session, market), bar_ring(session, market)

    @property
    def n_ticks(self) -> int:
        """The number of ticks received since the session began."""
        return self._ticks.committed

    @property
    def n_bars(self) -> int:
        """The number of final bars written since the session began."""
        return self._bars.committed

    @property
    def oldest_tick(self) -> int:
        """The number of the oldest tick that is still in the cache."""
        return self._ticks.oldest

    @property
    def ended(self) -> bool:
        """Whether the stream is over: its tape was played to the end."""
        return int(self._ticks.stats["state"]) == ConnectionState.ENDED

    @property
    def stats(self) -> dict[str, float]:
        """The feed's counters by name."""
        return {name: float(self._ticks.stats[name]) for name in STATS.names or ()}

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return self._ticks.read(start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return self._bars.read(start, stop)


def wait_for_rings(session: Path, markets: Sequence[str], stopped: Callable[[], bool]) -> bool:
    """Wait until the feed has created its rings; return False if stopped before that."""
    while not stopped():
        with contextlib.suppress(FileNotFoundError):
            for market in markets:
                LiveStream(session, market)
            return True
        time.sleep(0.05)
    return False

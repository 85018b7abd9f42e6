"""A market's stream as the feed of this session writes it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.cache import bar_ring, tick_cache
from streaming.counters import STATS, ConnectionState
from streaming.ring import Rows


class LiveStream:
    """The rings of one market.

    Args:
        session: the session's folder.
        market: its symbol.

    Raises:
        FileNotFoundError: if the feed has not started yet.
    """

    def __init__(self, session: Path, market: str) -> None:
        self._ticks, self._bars = tick_cache(session, market), bar_ring(session, market)

    @property
    def n_ticks(self) -> int:
        """Ticks received since the session began."""
        return self._ticks.committed

    @property
    def n_bars(self) -> int:
        """Final bars written since the session began."""
        return self._bars.committed

    @property
    def oldest_tick(self) -> int:
        """The first tick that is still in the cache."""
        return self._ticks.oldest

    @property
    def ended(self) -> bool:
        """Whether nothing more can come: a tape was played to its end."""
        return int(self._ticks.stats["state"]) == ConnectionState.ENDED

    @property
    def stats(self) -> dict[str, float]:
        """What the feed has counted so far, by name."""
        return {name: float(self._ticks.stats[name]) for name in STATS.names or ()}

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return self._ticks.read(start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return self._bars.read(start, stop)


def wait_for_rings(session: Path, markets: Sequence[str], stopped: Callable[[], bool]) -> bool:
    """Wait until the feed has made its files; False if the session was stopped before."""
    while not stopped():
        with contextlib.suppress(FileNotFoundError):
            for market in markets:
                LiveStream(session, market)
            return True
        time.sleep(0.05)
    return False

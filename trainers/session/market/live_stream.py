"""A market's live stream: the rings that the session's feed writes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.cache import bar_ring, quote_ring, tick_cache
from streaming.rings.counters import STATS, ConnectionState
from streaming.rings.ring import Rows
from trainers.engine.events import Watermark


class LiveStream:
    """The rings of one market, opened for reading.

    Args:
        session: the session's folder.
        market: the market's symbol.

    Raises:
        FileNotFoundError: if the feed has not created them yet.
    """

    def __init__(self, session: Path, market: str) -> None:
        self._ticks, self._bars = tick_cache(session, market), bar_ring(session, market)
        self._rings = {"ticks": self._ticks, "quotes": quote_ring(session, market)}

    @property
    def n_ticks(self) -> int:
        """The number of ticks received since the session began."""
        return self._ticks.committed

    @property
    def seen(self) -> Watermark:
        """The number of rows of each stream since the session began."""
        return {name: ring.committed for name, ring in self._rings.items()}

    @property
    def n_bars(self) -> int:
        """The number of final bars written since the session began."""
        return self._bars.committed

    @property
    def oldest(self) -> Watermark:
        """The number of the oldest row of each stream that is still in its ring."""
        return {name: ring.oldest for name, ring in self._rings.items()}

    @property
    def ended(self) -> bool:
        """Whether the stream is over: its tape was played to the end."""
        return int(self._ticks.stats["state"]) == ConnectionState.ENDED

    @property
    def stats(self) -> dict[str, float]:
        """The feed's counters by name."""
        return {name: float(self._ticks.stats[name]) for name in STATS.names or ()}

    def rows(self, stream: str, start: int, stop: int | None = None) -> Rows:
        return self._rings[stream].read(start, stop)

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

"""A symbol's ticks and bars as a lane reads them: from the feed's rings, or from a record.

Rows are numbered from 0 for ever. A bar is known once ``final_seq`` ticks have been seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from streaming.bars import Bars
from streaming.cache import STATS, ConnectionState, bar_ring, tick_cache
from streaming.ring import Rows
from streaming.ticks import Ticks

Stats = dict[str, float]


class Stream(Protocol):
    """One symbol's stream up to now."""

    @property
    def n_ticks(self) -> int:
        """Ticks received since the session began."""

    @property
    def n_bars(self) -> int:
        """Final bars written since the session began."""

    @property
    def oldest_tick(self) -> int:
        """The first tick that is still in the cache."""

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        """Return the ticks ``start`` (included) to ``stop`` that are still there."""

    def bars(self, start: int, stop: int | None = None) -> Rows:
        """Return the bars ``start`` (included) to ``stop`` that are still there."""

    def stats(self) -> Stats:
        """Return what the feed has counted so far, by name."""


class LiveStream:
    """What the feed of a session writes.

    Args:
        session: the session's folder.
        symbol: the market.

    Raises:
        FileNotFoundError: if the feed has not started yet.
    """

    def __init__(self, session: Path, symbol: str) -> None:
        self._ticks, self._bars = tick_cache(session, symbol), bar_ring(session, symbol)

    @property
    def n_ticks(self) -> int:
        return self._ticks.committed

    @property
    def n_bars(self) -> int:
        return self._bars.committed

    @property
    def oldest_tick(self) -> int:
        return self._ticks.oldest

    @property
    def ended(self) -> bool:
        return int(self._ticks.stats["state"]) == ConnectionState.ENDED

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return self._ticks.read(start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return self._bars.read(start, stop)

    def stats(self) -> Stats:
        return {name: float(self._ticks.stats[name]) for name in STATS.names or ()}


class RecordedStream:
    """All ticks and bars of a record; nothing is hidden, the caller asks for what was known.

    Args:
        ticks: ``(n,)`` of dtype ``TICK``, from tick 0 on.
        bars: ``(T,)`` of dtype ``BAR``, made from them.
    """

    oldest_tick = 0
    ended = True

    def __init__(self, ticks: Ticks, bars: Bars) -> None:
        self._ticks, self._bars = ticks, bars

    @property
    def n_ticks(self) -> int:
        return len(self._ticks)

    @property
    def n_bars(self) -> int:
        return len(self._bars)

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._ticks, start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._bars, start, stop)

    def stats(self) -> Stats:
        return {}


def _part(rows: np.ndarray, start: int, stop: int | None) -> Rows:
    start = max(start, 0)
    return Rows(start, rows[start:stop])

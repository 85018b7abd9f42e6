"""A market's ticks and bars, as the engine's drivers read them. Pure.

Rows are numbered from 0, and numbers are never reused. A bar is known once ``final_seq`` ticks
have been seen.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.ring import Rows
from streaming.ticks import Ticks


class Stream(Protocol):
    """One market's stream; old rows may have been overwritten."""

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        """Return the ticks from ``start`` up to, without, ``stop`` that still exist."""

    def bars(self, start: int, stop: int | None = None) -> Rows:
        """Return the bars from ``start`` up to, without, ``stop`` that still exist."""


class RecordedStream:
    """All ticks and bars of a record.

    It hides no later rows: a caller must ask only for rows that were known at the time.

    Args:
        ticks: ``(n,)`` of dtype ``TICK``, from tick 0 on.
        bars: ``(T,)`` of dtype ``BAR``, the bars of these ticks, from bar 0 on.
    """

    def __init__(self, ticks: Ticks, bars: Bars) -> None:
        self._ticks, self._bars = ticks, bars

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._ticks, start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._bars, start, stop)


def ticks_digest(stream: Stream, seen: int, ticks: int) -> str:
    """Return the hash of the ticks that are new to a cycle.

    Args:
        stream: the market's stream.
        seen: the number of ticks that the previous cycle saw.
        ticks: the number of ticks that this cycle sees.
    """
    rows = stream.ticks(seen, ticks)
    return digest(rows.first, rows.rows)


def _part(rows: np.ndarray, start: int, stop: int | None) -> Rows:
    start = max(start, 0)
    return Rows(start, rows[start:stop])

"""A market's ticks and bars as drivers of the engine read them. Pure.

Rows are numbered from 0 for ever. A bar is known once ``final_seq`` ticks have been seen.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.ring import Rows
from streaming.ticks import Ticks


class Stream(Protocol):
    """One market's stream, as far as it is still kept."""

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        """Return the ticks ``start`` (included) to ``stop`` that are still there."""

    def bars(self, start: int, stop: int | None = None) -> Rows:
        """Return the bars ``start`` (included) to ``stop`` that are still there."""


class RecordedStream:
    """All ticks and bars of a record. Nothing is hidden: the caller asks for what was known.

    Args:
        ticks: ``(n,)`` of dtype ``TICK``, from tick 0 on.
        bars: ``(T,)`` of dtype ``BAR``, made from them.
    """

    def __init__(self, ticks: Ticks, bars: Bars) -> None:
        self._ticks, self._bars = ticks, bars

    def ticks(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._ticks, start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._bars, start, stop)


def ticks_digest(stream: Stream, seen: int, ticks: int) -> str:
    """Return the hash of the ticks that a cycle sees and the one before it did not."""
    rows = stream.ticks(seen, ticks)
    return digest(rows.first, rows.rows)


def _part(rows: np.ndarray, start: int, stop: int | None) -> Rows:
    start = max(start, 0)
    return Rows(start, rows[start:stop])

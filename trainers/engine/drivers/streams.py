"""A market's streams and bars, as the engine's drivers read them. Pure.

Rows of a stream are numbered from 0, and numbers are never reused. A bar is known once
``final_seq`` ticks and ``final_quote`` rows of the quote ring have been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.quotes import Quotes
from streaming.rings.ring import Rows
from streaming.ticks import Ticks
from trainers.engine.events import STREAMS, Watermark

# Instead of the hash of rows that a ring has overwritten since: there is nothing to compare.
GONE = "gone"


class Stream(Protocol):
    """One market's streams; old rows may have been overwritten."""

    def rows(self, stream: str, start: int, stop: int | None = None) -> Rows:
        """Return the rows of a stream from ``start`` up to, without, ``stop`` that still exist."""

    def bars(self, start: int, stop: int | None = None) -> Rows:
        """Return the bars from ``start`` up to, without, ``stop`` that still exist."""


class RecordedStream:
    """All rows and bars of a record.

    It hides no later rows: a caller must ask only for rows that were known at the time.

    Args:
        ticks: ``(n,)`` of dtype ``TICK``, from tick 0 on.
        quotes: ``(m,)`` of dtype ``QUOTE``, from row 0 on.
        bars: ``(T,)`` of dtype ``BAR``, the bars of these rows, from bar 0 on.
    """

    def __init__(self, ticks: Ticks, quotes: Quotes, bars: Bars) -> None:
        self._rows = {"ticks": ticks, "quotes": quotes}
        self._bars = bars

    def rows(self, stream: str, start: int, stop: int | None = None) -> Rows:
        return _part(self._rows[stream], start, stop)

    def bars(self, start: int, stop: int | None = None) -> Rows:
        return _part(self._bars, start, stop)


def digests(stream: Stream, since: Watermark, oldest: Watermark, to: Watermark) -> dict[str, str]:
    """Return the hash of the rows of each stream that are new to a cycle.

    Args:
        stream: the market's.
        since: how many rows of each stream the previous cycle saw.
        oldest: the first row of each that still existed when the cycle began.
        to: how many rows of each it sees.

    Returns:
        The hashes by stream, ``GONE`` where some of the rows are no more.
    """
    found = {}
    for name in STREAMS:
        first = max(since[name], oldest[name])
        rows = stream.rows(name, first, to[name])
        found[name] = GONE if rows.first > first else digest(first, rows.rows)
    return found


def comparable(hashes: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cycle's hashes without those of rows that are gone, here or there."""
    return {
        stage: found for stage, found in hashes.items() if GONE not in (found, others.get(stage))
    }


def _part(rows: np.ndarray, start: int, stop: int | None) -> Rows:
    start = max(start, 0)
    return Rows(start, rows[start:stop])

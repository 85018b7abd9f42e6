"""A market's ticks and bars, as the engine's drivers read them. Pure.

Rows are numbered from 0, and numbers are never reused. A bar is known once ``final_seq`` ticks
have been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.ring import Rows
from streaming.ticks import Ticks

# Instead of the hash of ticks that a cache has overwritten since: there is nothing to compare.
GONE = "gone"


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


def ticks_digest(rows: Rows, seen: int) -> str:
    """Return the hash of the ticks that are new to a cycle.

    Args:
        rows: the ticks up to those that this cycle sees, as far back as they existed when it began.
        seen: the number of ticks that the previous cycle saw.
    """
    first = max(seen, rows.first)
    return digest(first, rows.rows[first - rows.first :])


def comparable(hashes: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cycle's hashes without that of ticks, if those or the others' ticks are gone."""
    gone = GONE in (hashes["ticks"], others["ticks"])
    return {stage: found for stage, found in hashes.items() if not (gone and stage == "ticks")}


def _part(rows: np.ndarray, start: int, stop: int | None) -> Rows:
    start = max(start, 0)
    return Rows(start, rows[start:stop])

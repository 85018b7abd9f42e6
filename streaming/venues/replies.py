"""REST replies of venues, read row by row: one that is damaged costs itself and not the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from streaming.ticks import NS_PER_S, OLDEST_TS, REPAIRED, TICK, Ticks
from streaming.venues import Rejected
from streaming.venues.gathering import UNREADABLE, mark_void

T = TypeVar("T")

NEWEST_TS = 2**62  # ns; of the year 2116


class Row(NamedTuple):
    """A trade; time in ns, the taker's side."""

    id: int
    ts: int
    price: float
    size: float
    side: int


def decode(body: bytes, kind: type[T]) -> T:
    """Return a reply as ``kind``; numbers may be texts.

    Raises:
        ValueError: if it is none.
    """
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except RecursionError as e:
        raise ValueError("nested too deep") from e


def read_ticks(
    raws: list[msgspec.Raw],
    kind: type[T],
    row_of: Callable[[T], Row],
    market: str,
    ts_init: int,
    latest: int,
) -> tuple[Ticks, Rejected]:
    """Return rows as ticks, and how many were dropped or are ``VOID``, by reason.

    Args:
        raws: the rows.
        kind: what a row is.
        row_of: returns the trade of a row; raises ``ValueError`` if it cannot be read.
        market: what to count under.
        ts_init: when the reply came, ns.
        latest: the latest time that a trade can have, ns.

    Raises:
        ValueError: if no row of several can be read.
    """
    rejected: Rejected = Counter()
    rows = []
    for raw in raws:
        try:
            row = row_of(msgspec.json.decode(raw, type=kind, strict=False))
        except UNREADABLE:
            rejected[market, "malformed"] += 1
        else:
            rows.append((row.id, row.ts, ts_init, row.price, row.size, row.side, REPAIRED))
    if raws and not rows:
        raise ValueError("no row can be read")
    return mark_void(np.array(rows, TICK), market, rejected, latest), rejected


def checked_time(ns: int) -> int:
    """Return a venue's time, ns; raise ``ValueError`` if it can be none."""
    if not OLDEST_TS <= ns < NEWEST_TS:
        raise ValueError(f"{ns / NS_PER_S:.0f} s is no time of a venue")
    return ns

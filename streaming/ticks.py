"""The tick: one executed trade, the record every later stage is built from.

    socket -> decoder -> ticks -> cache -> bars -> features -> DataModule -> model

Ticks travel as structured numpy arrays of dtype ``TICK``, in the venue's order:

    id         the venue's trade id, + 1 a trade and symbol
    ts_event   when the venue matched the trade   | int nanoseconds,
    ts_init    when this process received it      | Unix epoch, UTC
    price      quote currency per one unit of base currency, > 0
    size       base currency, > 0
    side       the taker's: +1 bought, -1 sold, 0 unknown
    flags      ``REPAIRED`` fetched by REST, not streamed
               ``AFTER_GAP`` trades are missing between this tick and the one before
               ``LATE`` its bar was final already, so no bar counts it
               ``VOID`` it breaks an invariant: the sequencer sees it, no file keeps it
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

TICK = np.dtype(
    [
        ("id", "<i8"),
        ("ts_event", "<i8"),
        ("ts_init", "<i8"),
        ("price", "<f8"),
        ("size", "<f8"),
        ("side", "i1"),
        ("flags", "u1"),
    ],
    align=True,
)

REPAIRED, AFTER_GAP, LATE, VOID = 1, 2, 4, 8


class Side(enum.IntEnum):
    """What the taker of a trade did; an order to be placed is an ``Action``."""

    BOUGHT = 1
    SOLD = -1
    UNKNOWN = 0


NS_PER_DAY = 86_400_000_000_000
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000

FOR_EVER = 1 << 62  # later than any time in ns, more than any number of rows

# A time of 13 digits is in ms until the year 2286, one of 16 digits in us.
US_FROM = 10**14

# No venue read here traded anything before the first bitcoin block; an older time is in a wrong
# unit.
OLDEST_TS = 1_230_768_000 * NS_PER_S  # 2009-01-01
MAX_AHEAD_NS = 60 * NS_PER_S

# Prices and sizes lie within: beyond, what is summed and multiplied of them is no number any more.
LEAST, MOST = 1e-30, 1e30

Ticks = NDArray[np.void]


def make_ticks(n: int) -> Ticks:
    """Return ``n`` zeroed ticks, ``(n,)`` of dtype ``TICK``."""
    return np.zeros(n, TICK)


def faults(
    ticks: Ticks, latest_ns: int | NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool]]]:
    """Yield each reason for which a tick is void, and which of ``ticks``, ``(n,)``, it concerns.

    Args:
        ticks: the ticks.
        latest_ns: the latest event time that is possible, ns; one for all, or ``(n,)``.
    """
    price: NDArray[np.float64] = ticks["price"]
    size: NDArray[np.float64] = ticks["size"]
    ts: NDArray[np.int64] = ticks["ts_event"]
    yield "bad_price", ~((price >= LEAST) & (price <= MOST))
    yield "bad_size", ~((size >= LEAST) & (size <= MOST))
    yield "bad_time", (ts < OLDEST_TS) | (ts > latest_ns)


def filled_times(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times, ns, with each 0 (not known) replaced by the one before, or by the first.

    >>> filled_times(np.array([0, 5, 0, 7])).tolist()
    [5, 5, 5, 7]
    """
    known = np.flatnonzero(times)
    if len(known) in (0, len(times)):
        return times
    before = np.searchsorted(known, np.arange(len(times)), side="right") - 1
    return times[known[np.maximum(before, 0)]]

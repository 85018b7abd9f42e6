"""Binance's messages as they are on the wire, and what they mean as ticks. Pure.

Formats: Binance spot API documentation, web-socket-streams.md and rest-api.md. Keys not named here
are ignored, since futures and newer API versions add some. If ``m`` (is the buyer the maker?) is
true, the taker sold. Times are ms, or us if the client has asked for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.ticks import (
    MAX_AHEAD_NS,
    NS_PER_MS,
    NS_PER_US,
    OLDEST_TS,
    US_FROM,
    VOID,
    Side,
    Ticks,
    make_ticks,
)

# What msgspec raises: the second for JSON nested without end.
UNREADABLE = (ValueError, RecursionError)

Int = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


# The fields are written out for each: msgspec renames only a struct's own, not inherited ones.


class Trade(msgspec.Struct, gc=False, rename={"id": "t", "time": "T", "price": "p", "size": "q"}):
    """One `trade` event; ``m`` is null where the taker's side is not known."""

    e: str
    s: str
    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class AggTrade(
    msgspec.Struct, gc=False, rename={"id": "a", "time": "T", "price": "p", "size": "q"}
):
    """One `aggTrade` event: the trades of one taker order."""

    e: str
    s: str
    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class RestTrade(msgspec.Struct, rename={"size": "qty", "m": "isBuyerMaker"}):
    """One row of ``historicalTrades``."""

    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class RestAggTrade(msgspec.Struct, rename={"id": "a", "time": "T", "price": "p", "size": "q"}):
    """One row of ``aggTrades``."""

    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class Combined(msgspec.Struct, gc=False):
    """A `trade` event of a combined stream."""

    data: Trade


class CombinedAgg(msgspec.Struct, gc=False):
    """An `aggTrade` event of a combined stream."""

    data: AggTrade


class Time(msgspec.Struct):
    """A reply of ``time``."""

    serverTime: Int  # noqa: N815  (the venue's name)


class _Probe(msgspec.Struct):
    """The fields of a frame that show what it is."""

    e: str = ""
    s: str = ""
    result: Any = msgspec.UNSET
    code: Any = msgspec.UNSET


class _CombinedProbe(msgspec.Struct):
    data: _Probe


Event = Trade | AggTrade
Row = Trade | AggTrade | RestTrade | RestAggTrade


def what_is(frame: bytes, channel: str) -> str:
    """Name a frame that is not a trade."""
    probe = _probe(frame)
    if probe is None:
        return "malformed"
    if probe.e == "serverShutdown":
        return probe.e
    if probe.result is not msgspec.UNSET:
        return ""
    if probe.code is not msgspec.UNSET or (probe.e and probe.e != channel):
        return "not_trade"
    return "malformed"


def _probe(frame: bytes) -> _Probe | None:
    try:
        return msgspec.json.decode(frame, type=_CombinedProbe).data
    except UNREADABLE:
        pass
    try:
        return msgspec.json.decode(frame, type=_Probe)
    except UNREADABLE:
        return None


def ticks_of(rows: Sequence[Row], stamps: Sequence[int]) -> Ticks:
    """Return ``rows`` as ticks, received at ``stamps`` (ns)."""
    ticks = make_ticks(len(rows))
    ticks["id"] = [row.id for row in rows]
    ticks["price"] = [row.price for row in rows]
    ticks["size"] = [row.size for row in rows]
    time = np.array([row.time for row in rows], np.int64)
    # Past the year 2255 the ns would overflow: the clipped time fails the range check all the same.
    ms = np.minimum(time, 9 * 10**12) * NS_PER_MS
    ticks["ts_event"] = np.where(time >= US_FROM, time * NS_PER_US, ms)
    ticks["ts_init"] = stamps
    maker = np.array([row.m for row in rows], np.float64)  # is the buyer the maker? NaN: unknown
    ticks["side"] = np.where(
        np.isnan(maker), Side.UNKNOWN, np.where(maker > 0, Side.SOLD, Side.BOUGHT)
    )
    return ticks


def _faults(ticks: Ticks) -> Iterable[tuple[str, NDArray[np.bool]]]:
    price, size, ts = ticks["price"], ticks["size"], ticks["ts_event"]
    yield "bad_price", ~(np.isfinite(price) & (price > 0))
    yield "bad_size", ~(np.isfinite(size) & (size > 0))
    yield "bad_time", (ts < OLDEST_TS) | (ts > ticks["ts_init"] + MAX_AHEAD_NS)


def mark_void(ticks: Ticks, symbol: str, rejected: Counter[tuple[str, str]]) -> Ticks:
    """Mark the ticks that break an invariant ``VOID``, and count each under one reason.

    The sequencer gets them too: it must know that their ids were not lost.
    """
    for reason, wrong in _faults(ticks):
        new = wrong & (ticks["flags"] & VOID == 0)
        if new.any():
            rejected[symbol, reason] += int(np.count_nonzero(new))
            ticks["flags"][new] |= VOID
    return ticks

"""Binance's messages as they are on the wire, and what they mean as ticks. Pure.

Formats: Binance spot API documentation, web-socket-streams.md and rest-api.md. Keys not named here
are ignored, since futures and newer API versions add some. If ``m`` (is the buyer the maker?) is
true, the taker sold. Times are ms, or us if the client has asked for them.

``X`` of futures says what made a trade: ``MARKET`` an order; ``INSURANCE_FUND``, ``ADL`` or ``NA``
the venue itself, at a price that is not the market's or of 0. Spot trades have no ``X``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from types import GenericAlias
from typing import Annotated, Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from streaming.ticks import (
    NS_PER_MS,
    NS_PER_US,
    US_FROM,
    Side,
    Ticks,
    make_ticks,
)
from streaming.venues import Rejected
from streaming.venues.gathering import UNREADABLE

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
    X: Any = "MARKET"


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
    X: Any = "MARKET"


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


class Error(msgspec.Struct):
    """What a refused request is answered with."""

    code: int
    msg: str


class _Ids(msgspec.Struct):
    """A row of which only the id may be readable: ``id`` of a trade, ``a`` of an aggregate."""

    id: Int | None = None
    a: Int | None = None


class _Probe(msgspec.Struct):
    """The fields of a frame that show what it is."""

    e: str = ""
    s: str = ""
    result: Any = msgspec.UNSET
    code: Any = msgspec.UNSET


class _CombinedProbe(msgspec.Struct):
    data: _Probe


class Decoders(NamedTuple):
    """The decoders of one message of a combined stream, and of a list of them."""

    one: msgspec.json.Decoder[Any]
    many: msgspec.json.Decoder[Any]

    @classmethod
    def of(cls, kind: type[msgspec.Struct], *, strict: bool = True) -> Self:
        """Return those of a kind of message."""
        many: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_list_of(kind), strict=strict)
        return cls(msgspec.json.Decoder(kind, strict=strict), many)


def _list_of(kind: type[msgspec.Struct]) -> Any:
    """Return ``list[kind]``, which a type checker only knows of kinds that are written there."""
    return GenericAlias(list, kind)


def decode_frames(decoders: Decoders, frames: Sequence[bytes]) -> list[Any]:
    """Return the ``data`` of each frame, None for one that is another message.

    All at once: they are joined to one list, unless one of them cannot be read.
    """
    try:
        found = decoders.many.decode(b"[%b]" % b",".join(frames))
    except UNREADABLE:
        found = []
    if len(found) != len(frames):
        found = [_decoded(decoders.one, frame) for frame in frames]
    return [event and event.data for event in found]


def _decoded(decoder: msgspec.json.Decoder[Any], frame: bytes) -> Any:
    try:
        return decoder.decode(frame)
    except UNREADABLE:
        return None


Event = Trade | AggTrade
RestRow = RestTrade | RestAggTrade
Row = Event | RestRow

# Whole numbers are at most 2**53, which a float64 has exactly.
FIELDS = ("id", "price", "size", "time")
VALUES = attrgetter(*FIELDS)


def read_rows(kind: type[RestRow], symbol: str, body: bytes, rejected: Rejected) -> list[RestRow]:
    """Return the rows of a REST reply; of one that is damaged the id, if that can be read.

    Args:
        kind: what a row is.
        symbol: what to count rows under that cannot be read at all.
        body: the reply.
        rejected: the counts, added to.

    Raises:
        ValueError: if the reply is no list of rows, or no row of it can be read.
    """
    try:
        try:
            found: list[RestRow] = msgspec.json.decode(body, type=_list_of(kind), strict=False)
            return found
        except ValueError:
            raws = msgspec.json.decode(body, type=list[msgspec.Raw])
    except RecursionError as e:
        raise ValueError("nested too deep") from e
    rows = [row for raw in raws if (row := _read_row(kind, raw)) is not None]
    if not rows:
        raise ValueError("no row can be read")
    if unreadable := len(raws) - len(rows):
        rejected[symbol, "malformed"] += unreadable
    return rows


def _read_row(kind: type[RestRow], raw: msgspec.Raw) -> RestRow | None:
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except UNREADABLE:
        pass
    try:
        ids = msgspec.json.decode(raw, type=_Ids, strict=False)
    except UNREADABLE:
        return None
    id = ids.a if kind is RestAggTrade else ids.id
    return None if id is None else kind(id, math.nan, math.nan, 0, None)


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


def ns_of_ms_or_us(times: ArrayLike) -> NDArray[np.int64]:
    """Return times in ms or us as ns, ``(n,)``."""
    time = np.asarray(times).astype(np.int64)
    # Past the year 2255 the ns would overflow: the clipped time fails the range check all the same.
    ms = np.minimum(time, 9 * 10**12) * NS_PER_MS
    return np.where(time >= US_FROM, time * NS_PER_US, ms)


def ticks_of(rows: Sequence[Row], stamps: Sequence[int]) -> Ticks:
    """Return ``rows`` as ticks, received at ``stamps`` (ns)."""
    ticks = make_ticks(len(rows))
    values = chain.from_iterable(map(VALUES, rows))
    table = np.fromiter(values, np.float64, len(FIELDS) * len(rows)).reshape(-1, len(FIELDS))
    for name, column in zip(FIELDS[:-1], table.T, strict=False):
        ticks[name] = column
    ticks["ts_event"] = ns_of_ms_or_us(table[:, -1])
    ticks["ts_init"] = stamps
    maker = np.array([row.m for row in rows], np.float64)  # is the buyer the maker? NaN: unknown
    ticks["side"] = np.where(
        np.isnan(maker), Side.UNKNOWN, np.where(maker > 0, Side.SOLD, Side.BOUGHT)
    )
    return ticks


def not_market(events: Sequence[Event]) -> NDArray[np.bool] | None:
    """Return which trades no order made, ``(n,)``; None if an order made all of them."""
    kinds = [event.X for event in events]
    if kinds.count("MARKET") == len(kinds):
        return None
    return np.array([kind != "MARKET" for kind in kinds])

"""Trades, quotes and time marks -> Binance's stream events. Pure.

Format: Binance spot API documentation, web-socket-streams.md. The event time
``E`` is the trade time, so that a message is a function of its trade. Quotes are those of its
futures, whose messages have times. The stream ``btcusdt@time`` is our own: all trades before its
``E`` have been sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import is_mark
from streaming.exchange.protocol.rest_rows import MAKER, agg_rows, decimal
from streaming.ticks import NS_PER_MS, NS_PER_US


class TradeEvent(msgspec.Struct):
    """A `trade` event; the field names are the venue's."""

    e: str
    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool | None
    M: bool


class AggTradeEvent(msgspec.Struct):
    """An `aggTrade` event."""

    e: str
    E: int
    s: str
    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741  (the venue's name)
    T: int
    m: bool | None
    M: bool


class BookEvent(msgspec.Struct):
    """A `bookTicker` event."""

    e: str
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int
    E: int


class TimeEvent(msgspec.Struct):
    """A `time` event."""

    e: str
    s: str
    E: int


class Combined(msgspec.Struct):
    """The envelope of combined streams."""

    stream: str
    data: Any


class WireStream(NamedTuple):
    """One encoding of one symbol's rows of one kind: all clients of it get the same bytes."""

    symbol: str
    channel: str  # one of ``CHANNELS``
    combined: bool
    unit_ns: int  # ns in a unit of its times

    @property
    def name(self) -> str:
        """The venue's name of it."""
        return f"{self.symbol.lower()}@{self.channel}"


def stream_of(name: str, *, combined: bool, unit_ns: int) -> WireStream | None:
    """Return what ``btcusdt@trade`` means; None for streams that stay silent here."""
    symbol, _, channel = name.partition("@")
    if channel not in CHANNELS or re.search("[A-Z]", symbol):
        return None
    return WireStream(symbol.upper(), channel, combined, unit_ns)


def unit_of(name: str | None) -> int:
    """Return the ns of one unit of time: ms, unless MICROSECOND was asked for."""
    return NS_PER_US if (name or "").upper() == "MICROSECOND" else NS_PER_MS


def frames(stream: WireStream, chunk: Chunk) -> list[tuple[int, bytes]]:
    """Return the text frames of a stream's rows of a chunk, each with its place, in order."""
    encode = msgspec.json.Encoder().encode
    places, events = CHANNELS[stream.channel](stream, chunk)
    if stream.combined:
        events = [Combined(stream.name, event) for event in events]
    return list(zip(places.tolist(), map(encode, events), strict=True))


def _trade_events(stream: WireStream, chunk: Chunk) -> Placed:
    trades = chunk.trades
    times = (trades["ts_event"] // stream.unit_ns).tolist()
    return chunk.trade_at, [
        TradeEvent(
            "trade", time, stream.symbol, id, decimal(price), decimal(size), time, MAKER[side], True
        )
        for time, (id, price, size, side) in zip(
            times, trades[["id", "price", "size", "side"]].tolist(), strict=True
        )
    ]  # fmt: skip


def _agg_events(stream: WireStream, chunk: Chunk) -> Placed:
    rows = agg_rows(chunk.trades, stream.unit_ns)
    return chunk.trade_at[chunk.trades["closes"]], [
        AggTradeEvent("aggTrade", row.T, stream.symbol, **msgspec.structs.asdict(row))
        for row in rows
    ]


def _book_events(stream: WireStream, chunk: Chunk) -> Placed:
    quotes = ~is_mark(chunk.books)
    books = chunk.books[quotes]
    times = (books["ts_event"] // stream.unit_ns).tolist()
    fields = books[["id", "bid", "bid_size", "ask", "ask_size"]].tolist()
    return chunk.book_at[quotes], [
        BookEvent(
            "bookTicker", id, stream.symbol, decimal(bid), decimal(bid_size), decimal(ask),
            decimal(ask_size), time, time,
        )
        for time, (id, bid, bid_size, ask, ask_size) in zip(times, fields, strict=True)
    ]  # fmt: skip


def _time_events(stream: WireStream, chunk: Chunk) -> Placed:
    marks = is_mark(chunk.books)
    times = (chunk.books["ts_event"][marks] // stream.unit_ns).tolist()
    return chunk.book_at[marks], [TimeEvent("time", stream.symbol, time) for time in times]


# What each channel sends: places in a chunk, ``(k,)``, and the events there.
Placed = tuple[NDArray[np.int64], list[Any]]
CHANNELS: dict[str, Callable[[WireStream, Chunk], Placed]] = {
    "trade": _trade_events,
    "aggTrade": _agg_events,
    "bookTicker": _book_events,
    "time": _time_events,
}

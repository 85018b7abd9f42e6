"""Trades -> Binance spot messages, stream events and REST rows. Pure.

Formats: Binance spot API documentation, web-socket-streams.md and rest-api.md. The event time
``E`` is the trade time, so that a message is a function of its trade.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
import numpy as np

from streaming.exchange.protocol.trades import Trades
from streaming.ticks import NS_PER_MS, NS_PER_US, Side

# Binance's ``m``: is the buyer the maker? Then the taker sold; null: not known.
MAKER = {0: None, Side.SOLD: True, -Side.SOLD: False}


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


class Combined(msgspec.Struct):
    """The envelope of combined streams."""

    stream: str
    data: TradeEvent | AggTradeEvent


class Stream(NamedTuple):
    """One encoding of one symbol's trades: all clients of it get the same bytes."""

    symbol: str
    channel: str  # trade or aggTrade
    combined: bool
    unit_ns: int  # ns in a unit of its times

    @property
    def name(self) -> str:
        """The venue's name of it."""
        return f"{self.symbol.lower()}@{self.channel}"

    def follows(self, symbol: str) -> bool:
        """Return whether it is a stream of this symbol: in names of streams case is lost."""
        return self.symbol.casefold() == symbol.casefold()


def stream_of(name: str, *, combined: bool, unit_ns: int) -> Stream | None:
    """Return what ``btcusdt@trade`` means; None for streams that stay silent here."""
    symbol, _, channel = name.partition("@")
    if channel not in ("trade", "aggTrade") or re.search("[A-Z]", symbol):
        return None
    return Stream(symbol.upper(), channel, combined, unit_ns)


def unit_of(name: str | None) -> int:
    """Return the ns of one unit of time: ms, unless MICROSECOND was asked for."""
    return NS_PER_US if (name or "").upper() == "MICROSECOND" else NS_PER_MS


def frames(stream: Stream, trades: Trades) -> list[bytes]:
    """Return the text frames of ``trades`` ``(n,)``, in order."""
    encode = msgspec.json.Encoder().encode
    events = (_trade_events if stream.channel == "trade" else _agg_events)(stream, trades)
    if not stream.combined:
        return [encode(event) for event in events]
    return [encode(Combined(stream.name, event)) for event in events]


def _trade_events(stream: Stream, trades: Trades) -> list[TradeEvent]:
    times = (trades["ts_event"] // stream.unit_ns).tolist()
    return [
        TradeEvent(
            "trade", time, stream.symbol, id, decimal(price), decimal(size), time, MAKER[side], True
        )
        for time, (id, price, size, side) in zip(
            times, trades[["id", "price", "size", "side"]].tolist(), strict=True
        )
    ]  # fmt: skip


def _agg_events(stream: Stream, trades: Trades) -> list[AggTradeEvent]:
    rows = agg_rows(trades, stream.unit_ns)
    return [
        AggTradeEvent("aggTrade", row.T, stream.symbol, **msgspec.structs.asdict(row))
        for row in rows
    ]


class RestTrade(msgspec.Struct, rename="camel"):
    """One row of ``trades`` and ``historicalTrades``."""

    id: int
    price: str
    qty: str
    quote_qty: str
    time: int
    is_buyer_maker: bool | None
    is_best_match: bool = True


class RestAggTrade(msgspec.Struct):
    """One row of ``aggTrades``."""

    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741  (the venue's name)
    T: int
    m: bool | None
    M: bool = True


def trade_rows(trades: Trades, unit_ns: int) -> list[RestTrade]:
    """Return REST rows of ``trades`` ``(n,)``."""
    times = (trades["ts_event"] // unit_ns).tolist()
    quote = np.round(trades["price"] * trades["size"], 8).tolist()
    return [
        RestTrade(id, decimal(price), decimal(size), decimal(value), time, MAKER[side])
        for time, value, (id, price, size, side) in zip(
            times, quote, trades[["id", "price", "size", "side"]].tolist(), strict=True
        )
    ]


def agg_rows(trades: Trades, unit_ns: int) -> list[RestAggTrade]:
    """Return REST rows of the aggregates that end in ``trades`` ``(n,)``."""
    last = trades[trades["closes"]]
    times = (last["ts_event"] // unit_ns).tolist()
    fields = last[["agg_id", "price", "agg_size", "agg_first", "id", "side"]].tolist()
    return [
        RestAggTrade(a, decimal(price), decimal(size), first, id, time, MAKER[side])
        for time, (a, price, size, first, id, side) in zip(times, fields, strict=True)
    ]


def decimal(number: float) -> str:
    """Return the shortest decimal text that reads back as ``number``, without an exponent."""
    text = repr(number)
    return np.format_float_positional(number, trim="0") if "e" in text else text

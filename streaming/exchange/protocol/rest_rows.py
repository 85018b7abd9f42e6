"""Trades and quotes -> rows of Binance's REST replies. Pure.

Format: Binance spot API documentation, rest-api.md.
"""

from __future__ import annotations

import msgspec
import numpy as np

from streaming.exchange.protocol.quotes import Books
from streaming.exchange.protocol.trades import Trades
from streaming.ticks import Side

# Binance's ``m``: is the buyer the maker? Then the taker sold; null: not known.
MAKER = {0: None, Side.SOLD: True, -Side.SOLD: False}


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
    times: list[int] = (trades["ts_event"] // unit_ns).tolist()
    quote: list[float] = np.round(trades["price"] * trades["size"], 8).tolist()
    rows: list[tuple[int, float, float, int]] = trades[["id", "price", "size", "side"]].tolist()
    return [
        RestTrade(id, decimal(price), decimal(size), decimal(value), time, MAKER[side])
        for time, value, (id, price, size, side) in zip(times, quote, rows, strict=True)
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


class RestBook(msgspec.Struct, rename="camel"):
    """A row of ``ticker/bookTicker``."""

    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str


def book_row(symbol: str, book: Books) -> RestBook:
    """Return the REST row of a symbol's newest quote, ``(1,)``; of zeros if there is none."""
    if len(book) == 0:
        return RestBook(symbol, *["0.0"] * 4)
    [values] = book[["bid", "bid_size", "ask", "ask_size"]].tolist()
    return RestBook(symbol, *map(decimal, values))


def decimal(number: float) -> str:
    """Return the shortest decimal text that reads back as ``number``, without an exponent."""
    text = repr(number)
    return np.format_float_positional(number, trim="0") if "e" in text else text

"""CSV layouts of recorded trades: which column of a file is which field of a tick.

tickloop           recv_ns,exch_us,venue,symbol,price,qty,side,trade_id[,flag]
Tardis trades      exchange,symbol,timestamp,local_timestamp,id,side,price,amount
Binance trades     id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]
Binance aggTrades  aggId,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]

Binance's public files come with or without a header and in ms or, from 2025 on, in us.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.ticks import NS_PER_MS, NS_PER_US, US_FROM


class Layout(NamedTuple):
    """One file's columns, each field of a tick by the column's name; "" if there is none.

    Attributes:
        columns: names of all columns, by position.
        header: whether the first line names the columns.
        event_ns: ns in one unit of ``ts_event``; 0 if the number of digits decides, ms or us.
        init_ns: ns in one unit of ``ts_init``.
    """

    columns: tuple[str, ...]
    header: bool
    id: str
    ts_event: str
    price: str
    size: str
    side: str
    ts_init: str = ""
    symbol: str = ""
    venue: str = ""
    event_ns: int = 0
    init_ns: int = 1


def layout_of(first_line: str) -> Layout | None:
    """Return the layout of the file with this first line; None if its format is unknown."""
    fields = tuple(field.strip() for field in first_line.strip().split(","))
    names = set(fields)
    if {"recv_ns", "exch_us", "venue", "symbol", "price", "qty", "side", "trade_id"} <= names:
        return Layout(
            fields, True, "trade_id", "exch_us", "price", "qty", "side",
            "recv_ns", "symbol", "venue", NS_PER_US, 1,
        )  # fmt: skip
    if {"exchange", "symbol", "timestamp", "local_timestamp", "price", "amount"} <= names:
        return Layout(
            fields, True, "id", "timestamp", "price", "amount", "side",
            "local_timestamp", "symbol", "exchange", NS_PER_US, NS_PER_US,
        )  # fmt: skip
    return _binance(fields)


def _binance(fields: tuple[str, ...]) -> Layout | None:
    header = not fields[0].isdigit()
    plain = [field.lower().replace("_", "") for field in fields]
    flags = ("true", "false", "isbuyermaker")
    if len(fields) in (6, 7) and plain[5] in flags:
        columns: tuple[str, ...] = ("id", "price", "qty", "quote_qty", "time", "maker", "best")
    elif len(fields) in (7, 8) and plain[6] in flags:
        columns = ("id", "price", "qty", "first", "last", "time", "maker", "best")
    else:
        return None
    return Layout(columns[: len(fields)], header, "id", "time", "price", "qty", "maker")


def to_ns(time: NDArray[np.int64], unit_ns: int) -> NDArray[np.int64]:
    """Return ``time`` in ns; if ``unit_ns`` is 0, the number of digits decides, ms or us.

    >>> to_ns(np.array([1_700_000_000_000, 1_700_000_000_000_000]), 0).tolist()
    [1700000000000000000, 1700000000000000000]
    """
    if unit_ns:
        return time * unit_ns
    return np.where(time < US_FROM, time * NS_PER_MS, time * NS_PER_US)

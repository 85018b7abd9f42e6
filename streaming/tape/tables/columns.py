"""Which column of a file is which field of a tick or a quote: by the names in its header.

A file without a header is read if its columns are those of a known format, in their order:

Binance trades      id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]
Binance aggTrades   aggId,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]
Binance bookTicker  updateId,bidPrice,bidQty,askPrice,askQty,transactionTime,eventTime
bbgo                id,side,size,price,time
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from streaming.errors import TapeError
from streaming.ticks import Side

# Names of a field in public files, in lower case and without blanks, "_", "-" and a unit at the
# end. "side" is the taker's; "maker" says whether the buyer is the maker.
NAMES = {
    "id": "id tradeid aggid aggtradeid trdmatchid matchid executionid guid",
    "price": "price px tradeprice",
    "size": "size qty quantity amount volume vol baseamount baseqty basevolume",
    "time": "time timestamp ts tsevent exch exchtime transacttime tradetime createdtime eventtime"
    " exchangetime timeexchange datetime date",
    "received": "recv recvtime received receivedtime localtimestamp localtime tsinit tsrecv"
    " timecoinapi",
    "side": "side takerside aggressorside direction",
    "maker": "maker isbuyermaker buyermaker buyerismaker",
    "symbol": "symbol pair instrument instrumentname instid",
    "venue": "venue exchange",
}
FIELDS = tuple(NAMES)
UNUSED = "-"

# The same of quotes.
QUOTE_NAMES = {
    "id": "id updateid orderbookupdateid",
    "bid": "bid bidprice bestbid bestbidprice bidpx",
    "ask": "ask askprice bestask bestaskprice askpx",
    "bid_size": "bidsize bidqty bidquantity bidamount bidvolume bestbidsize bestbidqty"
    " bestbidamount bidsz",
    "ask_size": "asksize askqty askquantity askamount askvolume bestasksize bestaskqty"
    " bestaskamount asksz",
    "time": "time timestamp ts tsevent exch exchtime transacttime transactiontime exchangetime"
    " timeexchange datetime date",
    **{field: NAMES[field] for field in ("received", "symbol", "venue")},
}

# The keys of Binance's messages, in which case counts.
FIELD_OF_KEY = {
    "a": "id", "t": "id", "p": "price", "q": "size", "T": "time", "m": "maker", "s": "symbol",
}  # fmt: skip

QUOTE_OF_KEY = {
    "u": "id", "b": "bid", "B": "bid_size", "a": "ask", "A": "ask_size", "T": "time", "s": "symbol",
}  # fmt: skip

# How files say which side the taker was on, and whether the buyer was the maker, in lower case.
SIDES = {
    "buy": Side.BOUGHT, "b": Side.BOUGHT, "buyer": Side.BOUGHT,
    "sell": Side.SOLD, "s": Side.SOLD, "seller": Side.SOLD,
    "unknown": Side.UNKNOWN, "": Side.UNKNOWN,
}  # fmt: skip
MAKERS = {
    **dict.fromkeys(("true", "t", "1", "1.0", "yes", "y"), Side.SOLD),
    **dict.fromkeys(("false", "f", "0", "0.0", "no", "n"), Side.BOUGHT),
    "unknown": Side.UNKNOWN, "": Side.UNKNOWN,
}  # fmt: skip

# Formats whose files have no header: what is in each column.
BINANCE_TRADES = ["id", "price", "size", "-", "time", "maker", "-"]
BINANCE_AGG_TRADES = ["id", "price", "size", "-", "-", "time", "maker", "-"]
BINANCE_BOOK_TICKER = ["id", "bid", "bid_size", "ask", "ask_size", "time"]
BBGO = ["id", "side", "size", "price", "time"]

Columns = dict[str, int]  # the position of each field that a file has


class Schema(NamedTuple):
    """What a table is of.

    Attributes:
        field_of: a column's field by its name in lower case, without blanks and the like.
        field_of_key: by its name where case counts.
        needed: the fields that it must have, each one or one of several.
        by_place: returns the columns of a file whose first row has these words and no header.
        advice: what to do if the columns are not known.
    """

    field_of: Mapping[str, str]
    field_of_key: Mapping[str, str]
    needed: tuple[tuple[str, ...], ...]
    by_place: Callable[[Sequence[str]], Columns | None]
    advice: str


def in_header(cells: Sequence[str], schema: Schema) -> Columns | None:
    """Return the columns that a header names; None if the line is no header.

    Args:
        cells: the fields of the file's first line.
        schema: what the table holds.

    Raises:
        TapeError: if a field is missing, or two columns have it.
    """
    fields = [_field(cell, schema) for cell in cells]
    if len({field for field in fields if field}) < 2:
        return None
    return positions(fields, cells, schema)


def positions(fields: Sequence[str], cells: Sequence[str], schema: Schema) -> Columns:
    """Return where each field is, given the field of each column; other columns have "".

    Raises:
        TapeError: if a field is missing, or two columns have it; ``cells`` are their names.
    """
    found: Columns = {}
    for position, field in enumerate(fields):
        if field in found:
            raise TapeError(
                f"expected one column for {field}, found {cells[found[field]]!r} and"
                f" {cells[position]!r}; {schema.advice}"
            )
        if field:
            found[field] = position
    missing = [" or ".join(each) for each in schema.needed if not found.keys() & set(each)]
    if missing:
        raise TapeError(
            f"expected a column for {', '.join(missing)}; found: {', '.join(cells)[:200]};"
            f" {schema.advice}"
        )
    if {"side", "maker"} <= found.keys():
        one, other = cells[found["side"]], cells[found["maker"]]
        raise TapeError(f"expected one column for the side, found {one!r} and {other!r};"
                        f" {schema.advice}")  # fmt: skip
    return found


def without_header(cells: Sequence[str], schema: Schema) -> Columns | None:
    """Return the columns of a known format whose first row has these cells; None if it is none."""
    words = [cell.strip().lower() for cell in cells]
    return schema.by_place(words) if words[0].isdigit() else None


def _trades_by_place(words: Sequence[str]) -> Columns | None:
    if len(words) == 5 and words[1] in ("buy", "sell"):
        return dict(zip(BBGO, range(5), strict=True))
    for names in (BINANCE_TRADES, BINANCE_AGG_TRADES):
        maker = names.index("maker")
        if len(names) - 1 <= len(words) <= len(names) and words[maker] in MAKERS:
            return {name: at for at, name in enumerate(names[: len(words)]) if name != UNUSED}
    return None


def _quotes_by_place(words: Sequence[str]) -> Columns | None:
    if len(words) != 7 or not (words[5].isdigit() and words[6].isdigit()):
        return None
    return {name: at for at, name in enumerate(BINANCE_BOOK_TICKER)}


def is_header(cells: Sequence[str], columns: Columns) -> bool:
    """Return whether a line names the columns, which a user has said: its price is a word."""
    price = cells[columns["price"]].strip()
    return bool(re.match(r"[^\W\d]", price)) and price.lower() not in ("nan", "inf", "null", "none")


def _field(cell: str, schema: Schema) -> str:
    name = cell.strip()
    if name in schema.field_of_key:
        return schema.field_of_key[name]
    plain = re.sub(r"[_ -](ns|us|ms|s)$", "", name.lower())
    return schema.field_of.get(re.sub(r"[_\s-]", "", plain), "")


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    return {name: field for field, said in names.items() for name in said.split()}


TRADES = Schema(
    _by_name(NAMES),
    FIELD_OF_KEY,
    (("price",), ("size",), ("time",), ("side", "maker")),
    _trades_by_place,
    "say which column is what: tape:PATH?columns=id,price,size,-,time,maker",
)
QUOTES = Schema(
    _by_name(QUOTE_NAMES),
    QUOTE_OF_KEY,
    (("bid",), ("ask",), ("bid_size",), ("ask_size",), ("time", "received")),
    _quotes_by_place,
    "play the trades alone: --quotes false",
)

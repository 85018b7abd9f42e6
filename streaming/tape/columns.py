"""Which column of a file is which field of a tick: by the names in its header.

A file without a header is read if its columns are those of a known format, in their order:

Binance trades     id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]
Binance aggTrades  aggId,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]
bbgo               id,side,size,price,time
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
FIELD_OF = {name: field for field, names in NAMES.items() for name in names.split()}

# The keys of Binance's messages, in which case counts.
FIELD_OF_KEY = {
    "a": "id", "t": "id", "p": "price", "q": "size", "T": "time", "m": "maker", "s": "symbol",
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
BBGO = ["id", "side", "size", "price", "time"]

Columns = dict[str, int]  # the position of each field that a file has


def in_header(cells: Sequence[str]) -> Columns | None:
    """Return the columns that a header names; None if the line is no header.

    Args:
        cells: of the file's first line.

    Raises:
        TapeError: if a field is missing, or two columns have it.
    """
    fields = [_field(cell) for cell in cells]
    if len({field for field in fields if field}) < 2:
        return None
    return positions(fields, cells)


def positions(fields: Sequence[str], cells: Sequence[str]) -> Columns:
    """Return where each field is, given the field of each column; other columns have "".

    Raises:
        TapeError: if a field is missing, or two columns have it; ``cells`` are their names.
    """
    found: Columns = {}
    for position, field in enumerate(fields):
        if field in found:
            raise TapeError(
                f"expected one column for {field}, found {cells[found[field]]!r} and"
                f" {cells[position]!r}; {SAY_WHICH}"
            )
        if field:
            found[field] = position
    missing = [field for field in ("price", "size", "time") if field not in found]
    missing += [] if found.keys() & {"side", "maker"} else ["side or maker"]
    if missing:
        raise TapeError(
            f"expected a column for {', '.join(missing)}; found: {', '.join(cells)[:200]};"
            f" {SAY_WHICH}"
        )
    if {"side", "maker"} <= found.keys():
        one, other = cells[found["side"]], cells[found["maker"]]
        raise TapeError(f"expected one column for the side, found {one!r} and {other!r};"
                        f" {SAY_WHICH}")  # fmt: skip
    return found


SAY_WHICH = "say which column is what: tape:PATH?columns=id,price,size,-,time,maker"


def without_header(cells: Sequence[str]) -> Columns | None:
    """Return the columns of a known format whose first row has these cells; None if it is none."""
    words = [cell.strip().lower() for cell in cells]
    if not words[0].isdigit():
        return None
    if len(words) == 5 and words[1] in ("buy", "sell"):
        return dict(zip(BBGO, range(5), strict=True))
    for names in (BINANCE_TRADES, BINANCE_AGG_TRADES):
        maker = names.index("maker")
        if len(names) - 1 <= len(words) <= len(names) and words[maker] in MAKERS:
            return {name: at for at, name in enumerate(names[: len(words)]) if name != UNUSED}
    return None


def is_header(cells: Sequence[str], columns: Columns) -> bool:
    """Return whether a line names the columns, which a user has said: its price is a word."""
    price = cells[columns["price"]].strip()
    return bool(re.match(r"[^\W\d]", price)) and price.lower() not in ("nan", "inf", "null", "none")


def _field(cell: str) -> str:
    name = cell.strip()
    if name in FIELD_OF_KEY:
        return FIELD_OF_KEY[name]
    plain = re.sub(r"[_ -](ns|us|ms|s)$", "", name.lower())
    return FIELD_OF.get(re.sub(r"[_\s-]", "", plain), "")

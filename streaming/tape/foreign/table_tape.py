"""A table of recorded trades -> one symbol's ticks, in order.

What is not understood is refused, what is dropped is remarked. Rows whose price, size or time no
trade can have are left in, since their ids were not lost: the feed drops them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from streaming.errors import TapeError
from streaming.quotes import make_quotes
from streaming.tape.address import TapeAddress
from streaming.tape.foreign.order import Order, OrderError, order_of
from streaming.tape.foreign.quote_table import QuoteTable
from streaming.tape.foreign.remarks import MOST_DROPPED, TRIFLE, dropped_of, remarks, share
from streaming.tape.recording import Recording, spelled
from streaming.tape.tables.rows import Table, TapeRows, rows_of, unique
from streaming.tape.tables.times import AHEAD_NS, have_zone, times
from streaming.tape.tables.values import ids, numbers, sides
from streaming.ticks import MOST, Ticks, faults, make_ticks

# The field that a fault is about, and what it should be.
POSSIBLE = {
    "bad_price": ("price", f"a price above 0 and up to {MOST:g}"),
    "bad_size": ("size", f"a size above 0 and up to {MOST:g}"),
    "bad_time": ("time", "a time from 2009 to tomorrow"),
}
UNRELATED_IDS = "the trade ids are not in the order of the times"
NUMBERED = "trades are numbered by their place, and neither gaps nor repeats can be seen"


class TableTape:
    """A tape of other people's.

    Args:
        address: what the user says of it.
        table: its rows.
        symbol: the symbol of all rows, if the table names none.
        book: the quotes beside it, if there are any.

    Attributes:
        symbols: those on it, in order of appearance.

    Raises:
        TapeError: if there are no trades on it.
    """

    def __init__(
        self, address: TapeAddress, table: Table, symbol: str, book: QuoteTable | None = None
    ) -> None:
        self._address, self._table, self._book = address, table, book
        self._there = _not_blank(table)
        if not len(self._there):
            raise TapeError(f"{address.path}: expected trades; it has a header and no rows")
        self.symbols: Sequence[str] = [symbol]
        if "symbol" in table.columns:
            self.symbols = unique(table, "symbol", self._there)
            if "" in self.symbols:
                at = int(np.searchsorted(self._there, rows_of(table, "symbol", "", self._there)[0]))
                raise TapeRows(table, self._there).wrong("symbol", at, "a symbol in each row")
        self._latest_ns = time.time_ns() + AHEAD_NS

    def read(self, symbol: str) -> Recording:
        """Return a symbol's trades, and its quotes if there are any.

        Raises:
            TapeError: if there are no trades, or a value is not understood.
        """
        name = spelled(self._address.path, symbol, self.symbols)
        rows, venues = self._rows(name)
        found = ids(rows)
        ticks = self._ticks(rows)
        has_ids = found.values is not None
        if has_ids:
            ticks["id"] = found.values
            ticks = ticks[~found.missing]
        order = self._order(name, ticks, has_ids)
        ticks = ticks if order.rows is None else ticks[order.rows]
        if not order.counts:
            ticks["id"] = np.arange(len(ticks))
        said = [
            name != symbol and f"the tape spells it {name}",
            len(venues) > 1
            and not self._address.venue
            and f"{venues[0]}'s trades are played, not {', '.join(venues[1:])}'s",
            not have_zone(rows.column("time")) and "the times name no zone: they are taken as UTC",
            order.why,
            not order.counts and f"{found.why or UNRELATED_IDS}: {NUMBERED}",
        ]
        dropped = dropped_of(ticks, self._latest_ns, int(np.count_nonzero(found.missing)))
        remarked = remarks(ticks, dropped, order.counts)
        quotes, of_quotes = make_quotes(0), list[str]()
        if self._book is not None:
            quotes, of_quotes = self._book.read(name, venues[0] if venues else "", ticks)
        texts = (*(text for text in said if text), *remarked, *of_quotes)
        return Recording(ticks, name, texts, quotes)

    def _rows(self, name: str) -> tuple[TapeRows, list[str]]:
        """Return a symbol's rows at one venue, and the venues that there are, that one first."""
        index, table = self._there, self._table
        if "symbol" in table.columns:
            index = rows_of(table, "symbol", name, index)
        wanted = self._address.venue
        if "venue" not in table.columns:
            if wanted:
                raise TapeError(f"{self._address.path}: venue: got {wanted!r}; it names no venues")
            return TapeRows(table, index), []
        there = unique(table, "venue", index)
        if wanted and wanted not in there:
            raise TapeError(
                f"{self._address.path}: {name} at {wanted} is not on this tape; venues of {name}:"
                f" {', '.join(there)}"
            )
        venue = wanted or there[0]
        rows = TapeRows(table, rows_of(table, "venue", venue, index))
        return rows, [venue, *(other for other in there if other != venue)]

    def _ticks(self, rows: TapeRows) -> Ticks:
        ticks = make_ticks(len(rows))
        unit = self._address.unit
        ticks["ts_event"] = times(rows, "time", self._latest_ns, unit)
        if "received" in rows:
            ticks["ts_init"] = times(rows, "received", self._latest_ns)
        ticks["price"], ticks["size"] = numbers(rows, "price"), numbers(rows, "size")
        _refuse_signed(rows, ticks)
        ticks["side"] = sides(rows)
        found = dict(faults(ticks, self._latest_ns))
        void = np.logical_or.reduce(list(found.values()))
        if void.mean() > MOST_DROPPED:
            at = int(np.argmax(void))
            field, possible = POSSIBLE[next(reason for reason in found if found[reason][at])]
            most = share(int(np.count_nonzero(void)), len(rows))
            raise rows.wrong(field, at, f"{possible}, as {most} of the rows would be dropped")
        return ticks

    def _order(self, name: str, ticks: Ticks, has_ids: bool) -> Order:
        try:
            order = order_of(ticks, has_ids, self._address.sort)
        except OrderError as e:
            raise TapeError(
                f"{self._address.path}: {name}: {e}: say what is right, tape:PATH?sort=id, time or"
                " file"
            ) from None
        return order._replace(counts=order.counts and has_ids)


def _refuse_signed(rows: TapeRows, ticks: Ticks) -> None:
    """Refuse sizes of which many are below 0: their sign means something, maybe the side."""
    below = ticks["size"] < 0
    if below.mean() > TRIFLE:
        n = share(int(np.count_nonzero(below)), len(rows))
        raise rows.wrong("size", int(np.argmax(below)), f"a size above 0, as {n} have a sign")


def _not_blank(table: Table) -> NDArray[np.int64]:
    """Return the rows in which there is anything; a spreadsheet puts blank ones at the end."""
    fields = [field for field in ("id", "price", "size", "time") if field in table.columns]
    blank = np.ones(len(table), np.bool)
    for field in fields:
        blank &= pc.is_null(table.columns[field]).to_numpy()
    return np.flatnonzero(~blank)

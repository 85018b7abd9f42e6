"""A table of recorded trades -> one symbol's ticks, in order.

What is not understood is refused, what is dropped is remarked. Rows whose price, size or time no
trade can have are left in, since their ids were not lost: the feed drops them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streaming.errors import TapeError
from streaming.tape.address import TapeAddress
from streaming.tape.order import Order, OrderError, order_of
from streaming.tape.recording import Recording, spelled
from streaming.tape.remarks import MOST_DROPPED, dropped_of, remarks, share
from streaming.tape.rows import Rows, Table
from streaming.tape.times import DAY_NS, times
from streaming.tape.values import ids, numbers, sides
from streaming.ticks import Ticks, faults, make_ticks

# The field that a fault is about, and what it should be.
POSSIBLE = {
    "bad_price": ("price", "a price above 0"),
    "bad_size": ("size", "a size above 0"),
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

    Attributes:
        symbols: those on it, in order of appearance.

    Raises:
        TapeError: if there are no trades on it.
    """

    def __init__(self, address: TapeAddress, table: Table, symbol: str) -> None:
        self._address, self._table = address, table
        self._there = _not_blank(table)
        if not len(self._there):
            raise TapeError(f"{address.path}: expected trades; it has a header and no rows")
        self.symbols: Sequence[str] = [symbol]
        if "symbol" in table.columns:
            self.symbols = _unique(table, "symbol", self._there)
            if "" in self.symbols:
                at = int(np.argmax(_is(table, "symbol", "", self._there)))
                raise Rows(table, self._there).wrong("symbol", at, "a symbol in each row")
        self._latest_ns = time.time_ns() + DAY_NS

    def read(self, symbol: str) -> Recording:
        """Return a symbol's trades.

        Raises:
            TapeError: if there are none, or a value is not understood.
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
            len(venues) > 1 and f"{venues[0]}'s trades are played, not {', '.join(venues[1:])}'s",
            order.why,
            not order.counts and f"{found.why or UNRELATED_IDS}: {NUMBERED}",
        ]
        dropped = dropped_of(ticks, self._latest_ns, int(np.count_nonzero(found.missing)))
        remarked = remarks(ticks, dropped, order.counts)
        return Recording(ticks, name, (*(text for text in said if text), *remarked))

    def _rows(self, name: str) -> tuple[Rows, list[str]]:
        """Return a symbol's rows at one venue, and the venues to choose from, that one first."""
        index, table = self._there, self._table
        if "symbol" in table.columns:
            index = index[_is(table, "symbol", name, index)]
        wanted = self._address.venue
        if "venue" not in table.columns:
            if wanted:
                raise TapeError(f"{self._address.path}: venue: got {wanted!r}; it names no venues")
            return Rows(table, index), []
        there = _unique(table, "venue", index)
        if wanted and wanted not in there:
            raise TapeError(
                f"{self._address.path}: {name} at {wanted} is not on this tape; venues of {name}:"
                f" {', '.join(there)}"
            )
        venue = wanted or there[0]
        rows = Rows(table, index[_is(table, "venue", venue, index)])
        return rows, [] if wanted else there

    def _ticks(self, rows: Rows) -> Ticks:
        ticks = make_ticks(len(rows))
        unit = self._address.unit
        ticks["ts_event"] = times(rows, "time", self._latest_ns, unit)
        if "received" in rows:
            ticks["ts_init"] = times(rows, "received", self._latest_ns)
        ticks["price"], ticks["size"] = numbers(rows, "price"), numbers(rows, "size")
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


def _not_blank(table: Table) -> NDArray[np.int64]:
    """Return the rows in which there is anything; a spreadsheet puts blank ones at the end."""
    fields = [field for field in ("id", "price", "size", "time") if field in table.columns]
    blank = np.ones(len(table), np.bool)
    for field in fields:
        blank &= pc.is_null(table.columns[field]).to_numpy()
    return np.flatnonzero(~blank)


def _text(table: Table, field: str) -> Any:
    return pc.fill_null(pc.cast(table.columns[field], pa.string()), "")


def _unique(table: Table, field: str, index: NDArray[np.int64]) -> list[str]:
    return [str(name) for name in pc.unique(_text(table, field).take(pa.array(index))).to_pylist()]


def _is(table: Table, field: str, value: str, index: NDArray[np.int64]) -> NDArray[np.bool]:
    same: NDArray[np.bool] = pc.equal(_text(table, field), value).to_numpy()
    return same[index]

"""A table of recorded quotes, which lies beside one of trades -> one symbol's quotes."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streaming.errors import TapeError
from streaming.quotes import RECEIVED, Quotes, faults, make_quotes
from streaming.symbols import same_but_for_case
from streaming.tape.foreign.placing import placed, with_venue_times
from streaming.tape.foreign.remarks import MOST_DROPPED, TRIFLE, share
from streaming.tape.tables.rows import Table, TapeRows, rows_of, unique
from streaming.tape.tables.times import AHEAD_NS, times
from streaming.tape.tables.values import ids, numbers
from streaming.ticks import Ticks

# How the file of the quotes is named after that of the trades: Tardis, Binance, and by hand.
BESIDE = (
    (re.compile(r"(?<![a-z])trades(?![a-z])", re.IGNORECASE), ("quotes", "book_ticker")),
    (re.compile(r"(?<![a-z])(agg)?trades(?![a-z])", re.IGNORECASE), ("bookTicker",)),
    (re.compile(r"$"), ("_quotes", "-quotes")),
)
FORMS = (".csv", ".csv.gz", ".csv.zst", ".zip", ".parquet")
PRICES = ("bid", "ask", "bid_size", "ask_size")


def beside(path: Path) -> Path | None:
    """Return the file of the quotes that belongs to one of trades; None if there is none.

    Raises:
        TapeError: if there are several.
    """
    found = [path.with_name(name) for name in names_beside(path.name)]
    found = [each for each in dict.fromkeys(found) if each.is_file() and each != path]
    if len(found) > 1:
        raise TapeError(
            f"{path}: expected one file of its quotes beside it; there are"
            f" {' and '.join(each.name for each in found)}: move one away, or --quotes false"
        )
    return found[0] if found else None


def names_beside(name: str) -> list[str]:
    """Return the names that the file of the quotes may have, given that of the trades.

    >>> "btcusdt-bookTicker-2024-01-01.zip" in names_beside("btcusdt-trades-2024-01-01.zip")
    True
    """
    form = next((form for form in sorted(FORMS, key=len)[::-1] if name.endswith(form)), "")
    stem = name.removesuffix(form)
    stems = [
        pattern.sub(word, stem, count=1)
        for pattern, words in BESIDE
        if pattern.search(stem)
        for word in words
    ]
    return [stem + each for stem in stems for each in dict.fromkeys((form, *FORMS))]


class QuoteTable:
    """The quotes beside a tape of trades.

    Args:
        path: the file.
        table: its rows.
        symbol: the symbol of all rows, if the table names none.
    """

    def __init__(self, path: Path, table: Table, symbol: str) -> None:
        self._path, self._table, self._symbol = path, table, symbol
        self._latest_ns = time.time_ns() + AHEAD_NS

    def read(self, symbol: str, venue: str, ticks: Ticks) -> tuple[Quotes, list[str]]:
        """Return a symbol's quotes in their places, and what a person should know of them.

        Args:
            symbol: as the tape of the trades spells it.
            venue: that of the trades; "" if they name none.
            ticks: ``(n,)`` the trades in the order in which they are played.

        Raises:
            TapeError: if a value is not understood, or quotes have no time that can be compared.
        """
        rows = self._rows(symbol, venue)
        if len(rows) == 0:
            return make_quotes(0), [f"{self._path.name} has no quotes of {symbol}"]
        quotes = self._quotes(rows)
        if (quotes["flags"] & RECEIVED).any() and not (ticks["ts_init"] > 0).all():
            raise TapeError(
                f"{self._path}: expected the times at which the venue changed its book; it has only"
                " those of receipt, and the trades have none: play them alone, --quotes false"
            )
        said = [f"the quotes in {self._path.name} are played with the trades"]
        left = np.ones(len(quotes), np.bool)
        for reason, wrong in faults(quotes, self._latest_ns):
            n = int(np.count_nonzero(wrong & left))
            left &= ~wrong
            if n > TRIFLE * len(quotes):
                said.append(f"{share(n, len(quotes))} of the quotes are dropped: {reason}")
        if left.mean() < 1 - MOST_DROPPED:
            at = int(np.argmin(left))
            raise rows.wrong("bid", at, "a bid below the ask, as most quotes would be dropped")
        return with_venue_times(placed(quotes, ticks), ticks), said

    def _rows(self, symbol: str, venue: str) -> TapeRows:
        there: Sequence[str] = [self._symbol]
        if "symbol" in self._table.columns:
            there = unique(self._table, "symbol", np.arange(len(self._table)))
        alike = same_but_for_case(symbol, there)
        if len(alike) != 1:
            return TapeRows(self._table, np.zeros(0, np.int64))
        index = np.arange(len(self._table))
        for field, value in (("symbol", alike[0]), ("venue", venue)):
            if field in self._table.columns and value:
                index = rows_of(self._table, field, value, index)
        return TapeRows(self._table, index)

    def _quotes(self, rows: TapeRows) -> Quotes:
        quotes = make_quotes(len(rows))
        for name in PRICES:
            quotes[name] = numbers(rows, name)
        if "received" in rows:
            quotes["ts_init"] = times(rows, "received", self._latest_ns)
        if "time" in rows:
            quotes["ts_event"] = times(rows, "time", self._latest_ns)
        else:
            quotes["ts_event"], quotes["flags"] = quotes["ts_init"], RECEIVED
        found = ids(rows)
        if found.values is not None:
            quotes["id"] = found.values
        return quotes

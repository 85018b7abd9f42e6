"""Opens a tape, whatever it is: our own segments, or other people's tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from streaming.errors import TapeError
from streaming.tape.address import TapeAddress
from streaming.tape.foreign.capture import CaptureTape, is_capture
from streaming.tape.foreign.quote_table import QuoteTable, beside
from streaming.tape.foreign.table_tape import TableTape
from streaming.tape.recording import Tape
from streaming.tape.segment_tape import SegmentTape, folder_tape, is_segment
from streaming.tape.segments import segment_symbol
from streaming.tape.tables.columns import QUOTES, TRADES, Schema
from streaming.tape.tables.containers import Member, is_folder, members
from streaming.tape.tables.csv_table import csv_table
from streaming.tape.tables.parquet_table import MAGIC, parquet_table, read_parquet
from streaming.tape.tables.rows import Table
from streaming.ticks import Ticks


def read_tape(path: Path, symbol: str, venue: str = "") -> Ticks:
    """Return one symbol's trades, in the order in which they are played.

    Args:
        path: a folder of segments, or a file of trades.
        symbol: in the tape's spelling.
        venue: the one whose trades are read, if the tape has several; if empty, the first with the
            symbol.

    Returns:
        ``(n,)`` of dtype ``TICK``, see ``Recording``.

    Raises:
        TapeError: if the tape is missing, unknown or damaged, has no such symbol, or has a value
            that is not understood.
    """
    return open_tape(TapeAddress(path, venue)).read(symbol).ticks


def tape_symbols(path: Path) -> list[str]:
    """Return the symbols on a tape, in order of appearance.

    Raises:
        TapeError: if the tape is missing, unknown or damaged.
    """
    return list(open_tape(TapeAddress(path)).symbols)


def open_tape(address: TapeAddress, *, quotes: bool = True) -> Tape:
    """Open a tape.

    Args:
        address: where it is, and what its user says of it.
        quotes: whether its quotes are wanted, if it has any.

    Raises:
        TapeError: if it is missing, unknown or damaged.
    """
    path = address.path
    if is_folder(path):
        return _own(address, folder_tape(path, quotes=quotes))
    found = members(path)
    first = read_parquet(found[0]) if found[0].content.startswith(MAGIC) else None
    if len(found) == 1 and first is not None and is_segment(first):
        return _own(address, SegmentTape(path, {segment_symbol(path): [path]}))
    if len(found) == 1 and is_capture(found[0]):
        return _own(address, CaptureTape(found[0], quotes=quotes))
    table = _joined(path, [_table(member, address.columns) for member in found])
    symbol = _symbol(path, found)
    there = beside(path) if quotes else None
    return TableTape(address, table, symbol, _book(there, symbol) if there else None)


def release_memory() -> None:
    """Give back to the system what reading took, once tapes are not in use: it is 200 B a row."""
    pa.default_memory_pool().release_unused()


def _own(address: TapeAddress, tape: Tape) -> Tape:
    if address != TapeAddress(address.path):
        raise TapeError(
            f"{address.path}: expected no venue, columns, unit or sort; a session's own tape, and"
            " what was sent by a venue, say all by themselves"
        )
    return tape


def _book(path: Path, symbol: str) -> QuoteTable:
    """Return the quotes in a file beside one of trades."""
    tables = [_table(member, (), QUOTES) for member in members(path)]
    return QuoteTable(path, _joined(path, tables), symbol)


def _table(member: Member, columns: Sequence[str], schema: Schema = TRADES) -> Table:
    if member.content.startswith(MAGIC):
        return parquet_table(member, read_parquet(member), columns, schema)
    return csv_table(member, columns, schema)


def _joined(path: Path, tables: Sequence[Table]) -> Table:
    """Return tables with the same columns as one."""
    if len(tables) == 1:
        return tables[0]
    kinds = [{name: column.type for name, column in table.columns.items()} for table in tables]
    if any(kind != kinds[0] for kind in kinds):
        raise TapeError(f"{path}: expected files with the same columns in it: unpack one of them")
    stops = np.cumsum([len(table) for table in tables])

    def place(row: int) -> str:
        which = int(np.searchsorted(stops, row, side="right"))
        return tables[which].place(row - int(stops[which - 1] if which else 0))

    columns = {
        name: pa.chunked_array([chunk for table in tables for chunk in table.columns[name].chunks])
        for name in kinds[0]
    }
    return Table(columns, tables[0].names, place)


def _symbol(path: Path, found: Sequence[Member]) -> str:
    """Return the symbol after which a file is named; those in a zip must not be of several."""
    names = {symbol_of_name(Path(member.where).name) for member in found}
    if len(found) > 1 and len(names) > 1:
        raise TapeError(
            f"{path}: expected files of one symbol in it; got those of {', '.join(sorted(names))}:"
            " unpack one of them"
        )
    return symbol_of_name(path.name)


def symbol_of_name(name: str) -> str:
    """Return the symbol of a file that is named after one.

    >>> symbol_of_name("btcusdt-trades.parquet"), symbol_of_name("FXSUSDT2023-10-10.csv.gz")
    ('BTCUSDT', 'FXSUSDT')
    """
    symbol = re.split(r"[-_](?:agg)?trades|[-_]?\d{4}-\d\d|\.", name, maxsplit=1, flags=re.I)[0]
    return re.sub(r"[\s,]", "_", symbol or name).upper()

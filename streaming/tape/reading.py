"""Recorded trades of any known format -> ticks, unchecked: the feed checks them as it streams."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from streaming.errors import TapeError, reason_of
from streaming.tape.formats import Layout, layout_of, to_ns
from streaming.tape.segments import segment_symbol, segments
from streaming.ticks import TICK, Side, Ticks, make_ticks

FORMATS = "a folder of segments, or CSV(.gz, .zip) of tickloop, Tardis or Binance trades"

# The taker's side: as a word, or as Binance's "is the buyer the maker?".
SIDES = {"buy": Side.BOUGHT, "sell": Side.SOLD, "true": Side.SOLD, "false": Side.BOUGHT}

DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowException)


def read_tape(path: Path, symbol: str, venue: str = "") -> Ticks:
    """Return one symbol's trades, in file order (the order of receipt).

    Args:
        path: a Parquet segment, a folder of them, or a CSV file (see ``formats``).
        symbol: in the tape's spelling.
        venue: the one whose trades are read, if the tape has several; if empty, the first with the
            symbol.

    Returns:
        ``(n,)`` of dtype ``TICK``: ``ts_init`` is the recorder's receive time, 0 if it is not
        known; ids are 0, 1, 2, ... if the tape has none.

    Raises:
        TapeError: if the tape is missing, unknown or damaged, or has no such symbol.
    """
    try:
        if _is_parquet(path):
            ticks = [_from_parquet(part) for part in _parts(path).get(symbol, [])]
            read = np.concatenate(ticks) if ticks else make_ticks(0)
        else:
            layout, table = _table(path)
            read = _from_csv(layout, _rows_of(path, layout, table, symbol, venue))
    except DAMAGED as e:
        _damaged(path, e)
    if len(read) == 0:
        at = f" at {venue}" if venue else ""
        there = ", ".join(tape_symbols(path)) or "none"
        raise TapeError(f"{path}: {symbol}{at} is not on this tape; it has: {there}")
    return read


def tape_symbols(path: Path) -> list[str]:
    """Return the symbols on a tape, in order of appearance.

    Raises:
        TapeError: if the tape is missing, unknown or damaged.
    """
    try:
        if _is_parquet(path):
            return list(_parts(path))
        layout, table = _table(path)
        if not layout.symbol:
            return [_symbol_of_name(path)]
        return [str(name) for name in pc.unique(table[layout.symbol]).to_pylist()]
    except DAMAGED as e:
        _damaged(path, e)


def _damaged(path: Path, error: BaseException) -> NoReturn:
    if not path.exists():
        raise TapeError(f"{path}: expected {FORMATS}; there is no such file") from error
    raise TapeError(
        f"{path}: expected a whole tape, it is damaged or cut off ({reason_of(error)}); record or"
        " fetch it again"
    ) from error


def _is_parquet(path: Path) -> bool:
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parts(path: Path) -> dict[str, list[Path]]:
    """Return the files of each symbol in order; a lone file is a tape of its own."""
    if not path.is_dir():
        return {segment_symbol(path): [path]}
    names = sorted({segment_symbol(part) for part in path.glob("*.parquet")})
    parts = {name: [part.path for part in segments(path, name)] for name in names}
    return {name: files for name, files in parts.items() if files}


def _from_parquet(path: Path) -> Ticks:
    table = pa.parquet.read_table(path)
    if missing := [name for name in TICK.names or () if name not in table.column_names]:
        raise TapeError(
            f"{path}: expected the columns of a tick, {', '.join(missing)} missing; it is not a"
            " segment of this version"
        )
    ticks = make_ticks(table.num_rows)
    for name in TICK.names or ():
        ticks[name] = table[name].to_numpy()
    return ticks


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    if raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return archive.read(archive.namelist()[0])
    return raw


def _table(path: Path) -> tuple[Layout, Any]:
    content = _content(path)
    first_line = content.split(b"\n", 1)[0].decode("utf-8", "replace").lstrip("\ufeff")
    layout = layout_of(first_line)
    if layout is None:
        raise TapeError(
            f"{path}: expected {FORMATS}; the first line is {first_line[:80]!r}: convert it to one"
            " of these"
        )
    numbers = {layout.price: pa.float64(), layout.size: pa.float64(), layout.ts_event: pa.int64()}
    texts = dict.fromkeys((layout.id, layout.side, layout.symbol, layout.venue), pa.string())
    types = {**texts, layout.ts_init: pa.int64(), **numbers}
    types.pop("", None)
    table = pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(column_names=layout.columns, skip_rows=int(layout.header)),
        convert_options=pa.csv.ConvertOptions(
            column_types=types, include_columns=list(types), strings_can_be_null=True
        ),
    )
    return layout, table


def _rows_of(path: Path, layout: Layout, table: Any, symbol: str, venue: str) -> Any:
    """Return the rows of one symbol at one venue."""
    if not layout.symbol:
        return table if symbol == _symbol_of_name(path) else table.slice(0, 0)
    rows = table.filter(pc.equal(table[layout.symbol], symbol))
    if rows.num_rows == 0:
        return rows
    return rows.filter(pc.equal(rows[layout.venue], venue or rows[layout.venue][0]))


def _symbol_of_name(path: Path) -> str:
    """Return BTCUSDT of ``BTCUSDT-trades-2024-01-01.zip``."""
    return re.split(r"-(?:agg)?trades|\.", path.name, maxsplit=1, flags=re.IGNORECASE)[0].upper()


def _from_csv(layout: Layout, rows: Any) -> Ticks:
    ticks = make_ticks(rows.num_rows)
    ticks["id"] = _ids(rows[layout.id]) if layout.id in rows.column_names else _counted(rows)
    ticks["ts_event"] = to_ns(_numbers(rows[layout.ts_event]), layout.event_ns)
    if layout.ts_init:
        ticks["ts_init"] = to_ns(_numbers(rows[layout.ts_init]), layout.init_ns)
    ticks["price"], ticks["size"] = rows[layout.price].to_numpy(), rows[layout.size].to_numpy()
    which = pc.index_in(pc.utf8_lower(rows[layout.side]), pa.array(list(SIDES)))
    ticks["side"] = np.array([*SIDES.values(), Side.UNKNOWN])[pc.fill_null(which, -1).to_numpy()]
    return ticks


def _numbers(column: Any) -> Any:
    return pc.fill_null(column, 0).to_numpy()


def _counted(rows: Any) -> Any:
    return np.arange(rows.num_rows)


def _ids(column: Any) -> Any:
    """Return the file's ids; 0, 1, 2, ... if some row has none or they are not numbers."""
    try:
        ids = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        return np.arange(len(column))
    return ids.to_numpy() if ids.null_count == 0 else np.arange(len(column))

"""A session's own tape: Parquet segments of rows that a feed has checked and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streaming.errors import TapeError
from streaming.quotes import MARK, NO_QUOTES, Quotes
from streaming.tape.recording import Recording, spelled
from streaming.tape.segments import NAME, Segment, SegmentKind, segment_symbol, segments
from streaming.tape.tables.containers import members
from streaming.tape.tables.parquet_table import read_parquet
from streaming.ticks import TICK


class SegmentTape:
    """A tape of our own.

    Args:
        path: the tape's folder.
        files: the segments of each symbol's ticks, in order.
        quotes: those of its quotes.

    Attributes:
        symbols: those on it.
    """

    def __init__(
        self,
        path: Path,
        files: Mapping[str, Sequence[Path]],
        quotes: Mapping[str, Sequence[Segment]] = MappingProxyType({}),
    ) -> None:
        self._path, self._files, self._quotes = path, files, quotes
        self.symbols: Sequence[str] = list(files)

    def read(self, symbol: str) -> Recording:
        """Return a symbol's trades, and its quotes if they are wanted.

        Raises:
            TapeError: if there are no trades, or a segment is damaged.
        """
        name = spelled(self._path, symbol, self.symbols)
        ticks = np.concatenate([read_segment(file) for file in self._files[name]])
        if not len(ticks):
            raise TapeError(f"{self._path}: expected trades of {name}; its segments are empty")
        said = (f"the tape spells it {name}",) if name != symbol else ()
        return Recording(ticks, name, said, self._read_quotes(name))

    def _read_quotes(self, name: str) -> Quotes:
        """Return the quotes that were kept; the exchange tells the time itself."""
        parts = [read_segment(part.path, SegmentKind.QUOTES) for part in self._quotes.get(name, ())]
        rows = np.concatenate([NO_QUOTES, *parts])
        quotes: Quotes = rows[rows["flags"] & MARK == 0]
        quotes["flags"] = 0
        match = NAME.fullmatch(self._files[name][0].name)
        quotes["after"] = np.maximum(quotes["after"] - int(match["first"] if match else 0), 0)
        return quotes


def folder_tape(folder: Path, *, quotes: bool = True) -> SegmentTape:
    """Return the tape in a folder.

    Args:
        folder: holds the segments.
        quotes: whether those of quotes are wanted.

    Raises:
        TapeError: if there are no segments in it.
    """
    try:
        names = sorted({segment_symbol(part) for part in folder.glob("*.parquet")})
    except OSError as e:
        raise TapeError(f"{folder}: expected segments; it may not be read ({e.strerror})") from e
    files = {name: [part.path for part in segments(folder, name)] for name in names}
    files = {name: parts for name, parts in files.items() if parts}
    if not files:
        raise TapeError(
            f"{folder}: expected SYMBOL-FIRST-STOP.parquet, a session's segments; there are none:"
            " name one file of trades, not its folder"
        )
    book = {name: segments(folder, name, SegmentKind.QUOTES) for name in files} if quotes else {}
    return SegmentTape(folder, files, book)


def is_segment(found: pa.Table) -> bool:
    """Return whether the content of a Parquet file is that of a segment."""
    return set(TICK.names or ()) <= set(found.column_names)


def read_segment(path: Path, kind: SegmentKind = SegmentKind.TICKS) -> NDArray[np.void]:
    """Return the rows in a segment, ``(n,)`` of the kind's dtype.

    Raises:
        TapeError: if it cannot be read, or is none of this version.
    """
    [member] = members(path)
    found = read_parquet(member)
    names = kind.row.names or ()
    types = {name: pa.from_numpy_dtype(kind.row[name]) for name in names}
    if wrong := [
        name
        for name, type_ in types.items()
        if name not in found.column_names or found[name].type != type_ or found[name].null_count
    ]:
        raise TapeError(
            f"{path}: expected the columns of {kind.name.lower()}, {', '.join(wrong)} missing or"
            " of another type; it is not a segment of this version"
        )
    rows = np.zeros(found.num_rows, kind.row)
    for name in names:
        rows[name] = found[name].to_numpy()
    return rows

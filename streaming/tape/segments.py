"""The session's own tape: Parquet segments of consecutive ring rows, each of one symbol.

``{symbol}-{first}-{stop}.parquet`` holds the ticks with seq ``first`` to ``stop - 1``, and
``{symbol}.quotes-{first}-{stop}.parquet`` rows of the quote ring; the symbol is written as
``file_name`` does. A segment gets its name only once it is whole: a file of that name can be read,
also after a crash.
"""

from __future__ import annotations

import enum
import itertools
import logging
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from streaming.errors import TapeError
from streaming.quotes import QUOTE
from streaming.rings.ring import Ring
from streaming.symbols import file_name, symbol_of
from streaming.ticks import TICK

logger = logging.getLogger(__name__)

NAME = re.compile(
    r"(?P<symbol>.+?)(?P<kind>\.quotes)?-(?P<first>\d{12,})-(?P<stop>\d{12,})\.parquet"
)


class SegmentKind(enum.StrEnum):
    """Whose rows a segment has; the value stands behind the symbol in its name."""

    TICKS = ""
    QUOTES = ".quotes"

    @property
    def row(self) -> np.dtype[np.void]:
        """The dtype of a row."""
        return QUOTE if self is SegmentKind.QUOTES else TICK


class Segment(NamedTuple):
    """Rows ``first`` (included) to ``stop`` (excluded) of one of a symbol's rings."""

    first: int
    stop: int
    path: Path


def write_segment(
    folder: Path,
    symbol: str,
    first_seq: int,
    rows: NDArray[np.void],
    kind: SegmentKind = SegmentKind.TICKS,
) -> Path:
    """Write ``rows``, ``(n,)`` of dtype ``TICK`` or ``QUOTE``, as one segment; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{file_name(symbol)}{kind}"
    path = folder / f"{name}-{first_seq:012d}-{first_seq + len(rows):012d}.parquet"
    columns = {name: _column(np.ascontiguousarray(rows[name])) for name in kind.row.names or ()}
    # A ring has one writer, which overwrites what a crash has left under this name.
    unfinished = folder / f"{name}.unfinished"
    pa.parquet.write_table(pa.table(columns), unfinished, compression="zstd")
    os.replace(unfinished, path)
    return path


def _column(values: NDArray[Any]) -> pa.Array:
    """Return ``values`` as an Arrow array; `pa.array` would import pandas into the feed."""
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def segments(folder: Path, symbol: str, kind: SegmentKind = SegmentKind.TICKS) -> list[Segment]:
    """Return a symbol's segments of one kind, oldest first; none if there is no such folder."""
    found = (segment_of(path, symbol, kind) for path in folder.glob("*.parquet"))
    return sorted(segment for segment in found if segment)


def segment_of(path: Path, symbol: str, kind: SegmentKind) -> Segment | None:
    """Return the segment that a file's name says; None if it is not one of the symbol and kind."""
    match = NAME.fullmatch(path.name)
    if match is None or (match["symbol"], match["kind"] or "") != (file_name(symbol), kind):
        return None
    return Segment(int(match["first"]), int(match["stop"]), path)


def outdated(folder: Path, symbol: str, kind: SegmentKind, keep_ns: int) -> list[Segment]:
    """Return the oldest segments, those that end more than ``keep_ns`` before the newest one does.

    They come a tenth of that time at once, not one each minute. The newest segment never does.

    Raises:
        TapeError: if a segment cannot be read.
    """
    *older, newest = segments(folder, symbol, kind) or [Segment(0, 0, folder)]
    if not older:
        return []
    stop = _last_time(newest.path) - keep_ns
    if _last_time(older[0].path) >= stop - keep_ns // 10:
        return []
    return list(itertools.takewhile(lambda segment: _last_time(segment.path) < stop, older))


def _last_time(path: Path) -> int:
    """Return the latest event time in a segment, ns, as the file's footer tells it."""
    try:
        footer = pyarrow.parquet.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as e:
        raise TapeError(f"{path}: expected a whole segment ({e})") from e
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    at = footer.schema.names.index("ts_event")
    return max(int(group.column(at).statistics.max) for group in groups)


def segment_symbol(path: Path) -> str:
    """Return the symbol in a segment's name, else the name without its ending."""
    match = NAME.fullmatch(path.name)
    return symbol_of(match["symbol"] if match else path.stem)


class TapeWriter:
    """Write a ring to segments; after a restart, go on where the last segment ends.

    The ring is the buffer: the rows that it still holds are not lost with the process.

    Args:
        ring: holds the symbol's ticks or quotes.
        folder: holds the segments; it is made if missing.
        symbol: the ring's.
        kind: whose rows they are.

    Raises:
        TapeError: if the folder's segments belong to another ring.
    """

    def __init__(
        self, ring: Ring, folder: Path, symbol: str, kind: SegmentKind = SegmentKind.TICKS
    ) -> None:
        self.ring, self.folder, self.symbol, self._kind = ring, folder, symbol, kind
        written = segments(folder, symbol, kind)

        # The seq of the first row that is not in a segment yet.
        self.next_seq = written[-1].stop if written else ring.oldest
        if self.next_seq > ring.committed:
            raise TapeError(
                f"{folder}: expected segments of {ring.path}, which ends at row {ring.committed};"
                f" they go on to row {self.next_seq}: move the folder away"
            )

    @property
    def pending(self) -> int:
        """Rows that are not in a segment yet."""
        return self.ring.committed - self.next_seq

    def write_pending(self) -> Path | None:
        """Write the rows not written yet as one segment; None if there are none."""
        first, rows = self.ring.read(self.next_seq)
        if len(rows) == 0:
            return None
        if first > self.next_seq:
            logger.warning(
                "%s: rows %d to %d were overwritten before they were on tape",
                self.symbol, self.next_seq, first - 1,
            )  # fmt: skip
        path = write_segment(self.folder, self.symbol, first, rows, self._kind)
        self.next_seq = first + len(rows)
        return path

"""Rows of a recorded file, by field, and how a wrong value in them is told.

A value is as it stands in the file, without blanks around it; what means nothing is null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streaming.errors import TapeError

# What programs write where there is no value.
NULLS = ("", "NaN", "nan", "NULL", "null", "None", "NA", "N/A", "<NA>", "NaT", "\\N")

# Numbers that lost their digits, or got separators, when a spreadsheet saved them.
SPREADSHEET = r"^[-+]?\d+([.,]\d+)?[eE]\+?\d+$|^\d{1,3}(,\d{3})+(\.\d+)?$|^\d+,\d+$"
MOST_CHARS = 60  # of a value that are shown


class Table(NamedTuple):
    """Recorded trades or quotes as a file has them.

    Attributes:
        columns: the values of each field that the file has, ``(n,)`` each.
        names: what the file calls each field.
        place: returns where the row with an index stands: the file, and the row's number in it.
    """

    columns: dict[str, pa.ChunkedArray]
    names: dict[str, str]
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class TapeRows:
    """Some rows of a table.

    Args:
        table: the file.
        index: which of its rows, ``(n,)``, rising.
    """

    def __init__(self, table: Table, index: NDArray[np.int64]) -> None:
        self.table, self._index = table, index
        self._all = len(index) == len(table)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, field: str) -> bool:
        return field in self.table.columns

    def column(self, field: str) -> pa.ChunkedArray:
        """Return the values of a field."""
        column = self.table.columns[field]
        return column if self._all else column.take(pa.array(self._index))

    def wrong(self, field: str, at: int, expected: str) -> TapeError:
        """Return the error that the value of a field in row ``at`` is not what was expected."""
        row = int(self._index[at])
        value = str(self.table.columns[field][row].as_py())
        lost = pc.match_substring_regex(value, SPREADSHEET).as_py() and field != "side"
        why = " (a spreadsheet has saved it: export the file anew)" if lost else ""
        return TapeError(
            f"{self.table.place(row)}, column {self.table.names[field]}: expected {expected}; got"
            f" {value[:MOST_CHARS]!r}{why}"
        )

    def each_must_match(
        self, field: str, column: pa.ChunkedArray, pattern: str, expected: str
    ) -> None:
        """Check that each value that is there matches a pattern.

        Raises:
            TapeError: if one does not.
        """
        fits = pc.fill_null(pc.match_substring_regex(column, pattern), True)
        at = pc.index(fits, False).as_py()
        if at >= 0:
            raise self.wrong(field, at, expected)

    def cast(self, field: str, column: pa.ChunkedArray, kind: Any, expected: str) -> Any:
        """Return a field's values as another type.

        Raises:
            TapeError: if one cannot be.
        """
        try:
            return pc.cast(column, kind)
        except pa.ArrowException:
            raise self.wrong(field, _first_failing(column, kind), expected) from None


def _first_failing(column: pa.ChunkedArray, kind: Any) -> int:
    """Return the index of the first value that cannot be cast, given that there is one."""
    first = 0
    while len(column) > 1:
        half = column.slice(0, len(column) // 2)
        try:
            pc.cast(half, kind)
        except pa.ArrowException:
            column = half
        else:
            first, column = first + len(half), column.slice(len(half))
    return first


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as text without blanks around it, numbers or times; None if it is neither."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(pc.cast(column, kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return column
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = pc.cast(column, pa.string())
    if not pa.types.is_string(column.type):
        return None
    text = pc.utf8_trim_whitespace(column)
    nothing = pc.is_in(text, value_set=pa.array(NULLS))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), text)


def unique(table: Table, field: str, index: NDArray[np.int64]) -> list[str]:
    """Return the texts of a field in some rows, each once, in order of appearance."""
    return [str(name) for name in pc.unique(_text(table, field).take(pa.array(index))).to_pylist()]


def rows_of(table: Table, field: str, value: str, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those rows of ``index`` whose field has a value."""
    same = pc.equal(_text(table, field), value).to_numpy()
    found: NDArray[np.int64] = index[same[index]]
    return found


def _text(table: Table, field: str) -> Any:
    return pc.fill_null(pc.cast(table.columns[field], pa.string()), "")

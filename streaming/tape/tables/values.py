"""Prices, sizes, sides and ids of a recorded file: every value is understood, or refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streaming.tape.tables.columns import MAKERS, SIDES
from streaming.tape.tables.rows import SPREADSHEET, TapeRows

# The feed refuses larger ids: a program that keeps numbers as floats would have rounded them.
MAX_ID = 2**53
IS_ID = r"^\d{1,16}(\.0*)?$"


def numbers(rows: TapeRows, field: str) -> NDArray[np.float64]:
    """Return the prices or sizes, ``(n,)``; NaN where there is none.

    Raises:
        TapeError: if a value is no number.
    """
    found = rows.cast(field, rows.column(field), pa.float64(), "a number such as 30000.5")
    filled: NDArray[np.float64] = pc.fill_null(found, np.nan).to_numpy()
    return filled


def sides(rows: TapeRows) -> NDArray[np.int8]:
    """Return the taker's side, ``(n,)`` of ``Side``: from its column, or from who was the maker.

    Raises:
        TapeError: if a value is not known.
    """
    for field, words in (("side", SIDES), ("maker", MAKERS)):
        if field in rows:
            return _words(rows, field, words)
    return np.zeros(len(rows), np.int8)


def _words(rows: TapeRows, field: str, words: Mapping[str, int]) -> NDArray[np.int8]:
    text = pc.fill_null(pc.utf8_lower(pc.cast(rows.column(field), pa.string())), "")
    which = pc.index_in(text, value_set=pa.array(list(words)))
    if which.null_count:
        at = pc.index(pc.is_null(which), True).as_py()
        allowed = ", ".join(word for word in words if word)
        raise rows.wrong(field, at, f"one of {allowed}, or nothing")
    codes = np.array([int(side) for side in words.values()], np.int8)
    found: NDArray[np.int8] = codes[which.to_numpy()]
    return found


class Ids(NamedTuple):
    """The ids of some rows.

    Attributes:
        values: ``(n,)``; None if they cannot be used: then trades are counted.
        missing: ``(n,)``, where a row has none.
        why: what is to be said of them; "" if nothing.
    """

    values: NDArray[np.int64] | None
    missing: NDArray[np.bool]
    why: str = ""


def ids(rows: TapeRows) -> Ids:
    """Return the ids of rows; those of rows without one are 0.

    Raises:
        TapeError: if most ids are numbers and one is not.
    """
    none = np.zeros(len(rows), np.bool)
    if "id" not in rows:
        return Ids(None, none, "there are no trade ids")
    column = rows.column("id")
    text = column if pa.types.is_string(column.type) else _whole(column)
    there = len(text) - text.null_count
    if there * 2 < len(text):
        return Ids(None, none, "most trades have no id" if there else "there are no trade ids")
    fits = pc.and_(
        pc.match_substring_regex(text, IS_ID),
        pc.less_equal(pc.cast(_padded(text), pa.int64()), MAX_ID),
    )
    if pc.sum(pc.fill_null(fits, False)).as_py() * 2 < there:
        changed = pc.match_substring_regex(text, SPREADSHEET)
        if pc.sum(changed).as_py() * 2 > there:  # and maybe rounded
            raise rows.wrong("id", pc.index(changed, True).as_py(), "a whole number")
        return Ids(None, none, f"the trade ids are no whole numbers up to {MAX_ID}")
    at = pc.index(pc.fill_null(fits, True), False).as_py()
    if at >= 0:
        raise rows.wrong("id", at, f"a whole number up to {MAX_ID}, as most ids are")
    missing: NDArray[np.bool] = pc.is_null(text).to_numpy()
    return Ids(pc.cast(_padded(text), pa.int64()).to_numpy(), missing)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ids that a file has as numbers as text; a float of a whole number has no exponent."""
    if pa.types.is_floating(column.type):
        fits = pc.less(pc.abs(column), float(2 * MAX_ID))
        whole = pc.and_(fits, pc.equal(pc.floor(column), column))
        column = pc.if_else(
            whole,
            pc.cast(pc.cast(pc.if_else(whole, column, 0.0), pa.int64()), pa.string()),
            pc.cast(column, pa.string()),
        )
    return pc.cast(column, pa.string())


def _padded(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ids without ``.0``, and 0 for what is no id."""
    digits = pc.if_else(pc.match_substring_regex(text, IS_ID), text, "0")
    return pc.replace_substring_regex(pc.fill_null(digits, "0"), r"\.0*$", "")

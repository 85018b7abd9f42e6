"""Times of any unit -> ns: the unit is that in which a time lies between 2009 and tomorrow. Pure.

The spans of the units do not overlap, so a row's time tells its unit by itself. What lies in none
is impossible and becomes 0.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streaming.tape.tables.rows import TapeRows
from streaming.ticks import NS_PER_DAY, NS_PER_MS, NS_PER_S, NS_PER_US, OLDEST_TS

UNITS = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
AHEAD_NS = NS_PER_DAY  # so far ahead a time may be: a tape may come from another machine

DIGITS = 9  # of a fraction that are read
NUMBER = r"^-?\d+(\.\d*)?$"
FITS = r"^-?[0-8]?\d{1,18}$"  # into 64 bits
DATE = r"^\d{4}-\d\d-\d\d[ TD]\d"
ZONE = r"(Z|[+-]\d\d:?\d\d)$"
ALLOWED = "a time in s, ms, us or ns, or as 2023-11-14 22:13:20.123+00:00"


def times(rows: TapeRows, field: str, latest_ns: int, unit: str = "") -> NDArray[np.int64]:
    """Return a column's times, ``(n,)`` in ns since the Unix epoch; 0 where one is impossible.

    Args:
        rows: the rows of a tape.
        field: ``time`` or ``received``.
        latest_ns: the latest time that is possible, ns.
        unit: the unit of numbers, one of ``UNITS``; if empty, their size tells.

    Raises:
        TapeError: if a value is no time, or the unit changes more than once.
    """
    column = rows.column(field)
    if pa.types.is_timestamp(column.type):
        whole = _ints(pc.cast(column, pa.int64()))
        return _in_ns(rows, field, whole, np.zeros_like(whole), latest_ns, column.type.unit)
    if not pa.types.is_string(column.type):
        column = _as_text(column)
    first = column.drop_null()
    if len(first) and pc.match_substring_regex(first[0], DATE).as_py():
        whole = _dates(rows, field, column)
        return _in_ns(rows, field, whole, np.zeros_like(whole), latest_ns, "ns")
    whole, parts = _numbers(rows, field, column)
    return _in_ns(rows, field, whole, parts, latest_ns, unit)


def have_zone(column: pa.ChunkedArray) -> bool:
    """Return whether times are numbers, or dates that name their zone; those without are UTC's."""
    if pa.types.is_timestamp(column.type):
        return column.type.tz is not None
    if not pa.types.is_string(column.type):
        return True
    dates = pc.fill_null(pc.match_substring_regex(column, DATE), False)
    zoned = pc.fill_null(pc.match_substring_regex(column, ZONE), False)
    return not pc.any(pc.and_(dates, pc.invert(zoned))).as_py()


def unit_of(values: NDArray[np.int64], latest_ns: int, unit: str = "") -> NDArray[np.int64]:
    """Return the ns in one unit of each value; 0 where it is no time from 2009 to tomorrow.

    >>> unit_of(np.array([1_700_000_000, 1_700_000_000_000, 7]), 1_800_000_000 * NS_PER_S).tolist()
    [1000000000, 1000000, 0]
    """
    found = np.zeros(len(values), np.int64)
    for ns in [UNITS[unit]] if unit else UNITS.values():
        found[(values >= OLDEST_TS // ns) & (values <= latest_ns // ns)] = ns
    return found


def _in_ns(
    rows: TapeRows,
    field: str,
    whole: NDArray[np.int64],
    parts: NDArray[np.int64],
    latest_ns: int,
    unit: str,
) -> NDArray[np.int64]:
    """Return times in ns from their whole units and the 10^-9 parts of one."""
    units = unit_of(whole, latest_ns, unit)
    there = np.flatnonzero(units)
    changes = 1 + np.flatnonzero(np.diff(units[there]))
    if len(changes) and len(changes) >= len(np.unique(units[there])):
        # Not one file put behind another: whatever it is, some rows would be wrong.
        raise rows.wrong(
            field, int(there[changes[0]]), "the unit of the rows before, or of all behind it"
        )
    found: NDArray[np.int64] = whole * units + parts * units // 10**DIGITS
    return found


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as text, floats with all their digits."""
    if pa.types.is_floating(column.type):
        found = column.drop_null().to_numpy()
        if (np.abs(found) < 2.0**62).all() and (found % 1 == 0).all():
            column = pc.cast(column, pa.int64())
    return pc.cast(column, pa.string())


def _numbers(
    rows: TapeRows, field: str, column: pa.ChunkedArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        whole = _ints(pc.cast(column, pa.int64()))
        return whole, np.zeros_like(whole)
    except pa.ArrowInvalid:
        pass  # some have decimals, or are no numbers
    rows.each_must_match(field, column, NUMBER, ALLOWED)
    text = pc.replace_substring_regex(column, r"\..*$", "")
    whole = _ints(pc.cast(pc.if_else(pc.match_substring_regex(text, FITS), text, "0"), pa.int64()))
    part = pc.replace_substring_regex(column, r"^-?\d*\.?", "")
    part = pc.utf8_slice_codeunits(pc.utf8_rpad(part, DIGITS, "0"), 0, DIGITS)
    return whole, _ints(pc.cast(part, pa.int64()))


def _dates(rows: TapeRows, field: str, column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return ISO times in ns; those without a zone are taken as UTC."""
    rows.each_must_match(field, column, DATE, ALLOWED)
    text = pc.replace_substring_regex(column, r"^(\S{10})D", r"\1T")  # BitMEX's
    zoned = pc.match_substring_regex(text, ZONE)
    text = pc.if_else(zoned, text, pc.binary_join_element_wise(text, "Z", ""))
    found = rows.cast(field, text, pa.timestamp("ns", "UTC"), ALLOWED)
    return _ints(pc.cast(found, pa.int64()))


def _ints(column: pa.ChunkedArray) -> NDArray[np.int64]:
    filled: NDArray[np.int64] = pc.fill_null(column, 0).to_numpy()
    return filled

"""A Parquet file of anybody's -> a table: its columns by name, whatever their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from streaming.errors import TapeError, reason_of
from streaming.tape.columns import TRADES, UNUSED, Schema, in_header
from streaming.tape.containers import Member
from streaming.tape.rows import Table, plain

MAGIC = b"PAR1"


def read_parquet(member: Member) -> Any:
    """Return the content of a Parquet file as a ``pa.Table``.

    Raises:
        TapeError: if it is damaged.
    """
    try:
        return pa.parquet.ParquetFile(pa.BufferReader(member.content)).read()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as e:
        raise TapeError(
            f"{member.where}: expected a whole tape, it is damaged or cut off ({reason_of(e)});"
            " record or fetch it again"
        ) from e


def parquet_table(
    member: Member, found: Any, columns: Sequence[str] = (), schema: Schema = TRADES
) -> Table:
    """Return the table in the content of a Parquet file.

    Args:
        member: the file.
        found: its content.
        columns: the field in each column, if the user says it.
        schema: what the table is of.

    Raises:
        TapeError: if a field has no column, or a column's type is none of text, numbers or times.
    """
    names = found.column_names
    try:
        if columns and len(columns) != len(names):
            raise TapeError(f"columns: expected {len(names)}, as the file has; got {len(columns)}")
        said = {field: at for at, field in enumerate(columns) if field != UNUSED}
        where = said or in_header(names, schema)
        if where is None:
            raise TapeError(
                f"expected columns for {', '.join(each[0] for each in schema.needed)}; found"
                f" {', '.join(names)[:200]}"
            )
        read = {field: plain(found.column(at)) for field, at in where.items()}
        if wrong := [field for field, column in read.items() if column is None]:
            at = where[wrong[0]]
            raise TapeError(
                f"column {names[at]}: expected text, numbers or times; it holds"
                f" {found.schema.field(at).type}"
            )
    except TapeError as e:
        raise TapeError(f"{member.where}: {e}") from None
    called = {field: names[at] for field, at in where.items()}
    return Table(read, called, lambda row: f"{member.where}: row {row + 1}")

"""A Parquet file of anybody's -> a table: its columns by name, whatever their types.

It is read some rows at a time: at once, a damaged file that claims 10**10 rows would have 300 GB of
addresses reserved, after which the process cannot fork, and one that claims more would kill it. A
page may claim 2**31 values, for which 17 GB would be reserved: while a file is read, the process
may not take more than a whole file could need. By one thread: in others Arrow ends the process
where C++ finds no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from streaming.errors import TapeError, reason_of
from streaming.program.process import memory_for
from streaming.tape.tables.columns import TRADES, UNUSED, Schema, in_header
from streaming.tape.tables.containers import MAX_BYTES, Member, too_large
from streaming.tape.tables.rows import Table, plain

MAGIC = b"PAR1"
ROWS_AT_ONCE = 2**18
MOST_UNPACKED = 4 * MAX_BYTES  # bytes in memory


def read_parquet(member: Member) -> Any:
    """Return the content of a Parquet file as a ``pa.Table``.

    Raises:
        TapeError: if it is damaged, or too large.
    """
    try:
        with memory_for(MOST_UNPACKED + MAX_BYTES):
            file = pa.parquet.ParquetFile(pa.BufferReader(member.content))
            found = pa.Table.from_batches(_batches(member, file), file.schema_arrow)
        if found.num_rows != file.metadata.num_rows:
            raise ValueError(f"it claims {file.metadata.num_rows} rows, and has {found.num_rows}")
        return found
    except (pa.ArrowException, OSError, ValueError, MemoryError) as e:
        raise TapeError(
            f"{member.where}: expected a whole tape, it is damaged or cut off ({reason_of(e)});"
            " record or fetch it again"
        ) from e


def _batches(member: Member, file: Any) -> Iterator[Any]:
    """Yield a file's rows, as long as they are not more than may be in memory."""
    left = MOST_UNPACKED
    for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
        left -= batch.nbytes
        if left < 0:
            raise TapeError(too_large(member.where))
        yield batch


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

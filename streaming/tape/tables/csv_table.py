"""A CSV file -> a table: any separator, quotes, line ends and blank rows."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv

from streaming.errors import TapeError, reason_of
from streaming.tape.tables.columns import (
    TRADES,
    UNUSED,
    Columns,
    Schema,
    in_header,
    is_header,
    without_header,
)
from streaming.tape.tables.containers import FORMATS, Member
from streaming.tape.tables.rows import Table, plain

SEPARATORS = ",;\t|"
MAX_LINE_BYTES = 10_000
TEXT = re.compile(rb"\S")
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")


def csv_table(member: Member, columns: Sequence[str] = (), schema: Schema = TRADES) -> Table:
    """Return the table in a CSV file.

    Args:
        member: the file.
        columns: the field in each column, if the user says it.
        schema: what the table is of.

    Raises:
        TapeError: if it is no such table; the text names the file, and the row if it is one.
    """
    content = _utf8(member)
    cells, separator, start, stop = _first_line(member.where, content)
    try:
        found, has_header = _columns(cells, columns, schema)
    except TapeError as e:
        raise TapeError(f"{member.where}: {e}") from None
    read = _Csv(member.where, content, stop if has_header else start, separator, len(cells))
    table = read.table(found)
    names = {
        field: cells[at].strip() if has_header else f"{at + 1} ({field})"
        for field, at in found.items()
    }
    texts = {field: plain(table[str(at)]) for field, at in found.items()}
    return Table(texts, names, lambda row: f"{member.where}: row {read.line_of(row)}")


def _utf8(member: Member) -> bytes:
    content = member.content
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError:
            raise TapeError(f"{member.where}: expected UTF-8, it is half of UTF-16") from None
    try:
        content.decode()
    except UnicodeDecodeError as e:
        row = len(re.findall(rb"\r\n|\r|\n", content[: e.start])) + 1
        got = content[max(e.start - 20, 0) : e.start + 20]
        raise TapeError(f"{member.where}: row {row}: expected UTF-8; got {got!r}") from None
    return content.removeprefix(codecs.BOM_UTF8)


def _first_line(where: str, content: bytes) -> tuple[list[str], str, int, int]:
    """Return the cells of the first line that is not blank, the separator, its start and stop."""
    text = TEXT.search(content)
    start = text.start() if text else len(content)
    start = max(content.rfind(b"\n", 0, start), content.rfind(b"\r", 0, start)) + 1
    match = LINE.match(content, start)
    line = match[0].decode("utf-8", "replace").strip("\r\n") if match else ""
    if not line.strip():
        raise TapeError(f"{where}: expected {FORMATS}; the file is empty")
    if len(line) > MAX_LINE_BYTES or "\0" in line:
        raise TapeError(f"{where}: expected {FORMATS}; it is no text")
    rows = {mark: next(csv.reader([line], delimiter=mark), []) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=lambda mark: len(rows[mark]))
    return rows[separator], separator, start, match.end() if match else start


def _columns(cells: Sequence[str], said: Sequence[str], schema: Schema) -> tuple[Columns, bool]:
    """Return where each field is, and whether the first line is a header."""
    if said:
        if len(said) != len(cells):
            raise TapeError(
                f"columns: expected {len(cells)}, as the first line has; got {len(said)}"
            )
        found = {field: at for at, field in enumerate(said) if field != UNUSED}
        return found, is_header(cells, found)
    if (by_name := in_header(cells, schema)) is not None:
        return by_name, True
    if (by_place := without_header(cells, schema)) is not None:
        return by_place, False
    needed = ", ".join(each[0] for each in schema.needed)
    raise TapeError(
        f"expected {FORMATS}, whose first line names {needed}; it is"
        f" {','.join(cells)[:80]!r}: {schema.advice}"
    )


class _Csv:
    """The rows of a CSV file behind its header."""

    def __init__(
        self, where: str, content: bytes, start: int, separator: str, columns: int
    ) -> None:
        self._where, self._content, self._start = where, content, start
        self._separator, self._n_columns = separator, columns
        self._is_wrong = False

    def table(self, columns: Columns) -> Any:
        """Return the used columns as text, each named after its position."""
        used = sorted(str(at) for at in columns.values())
        body = pa.py_buffer(self._content)[self._start :]
        if not body.size:
            return pa.table({name: pa.chunked_array([], pa.string()) for name in used})
        try:
            found = pa.csv.read_csv(
                pa.BufferReader(body),
                read_options=pa.csv.ReadOptions(
                    column_names=[str(at) for at in range(self._n_columns)]
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._separator, invalid_row_handler=self._invalid
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(used, pa.string()), include_columns=used
                ),
            )
        except pa.ArrowException as e:
            raise self._not_read(e) from None
        if self._is_wrong:
            raise self._not_read(ValueError("a row has another number of columns"))
        return found

    def _invalid(self, row: Any) -> str:
        """Skip a row without the right number of columns; it is wrong if it is not blank."""
        self._is_wrong |= bool(row.text.strip())
        return "skip"

    def _not_read(self, error: Exception) -> TapeError:
        """Return the error that names the first row that cannot be read."""
        for number, line in self._lines():
            try:
                cells = next(csv.reader([line.decode()], delimiter=self._separator), [])
            except csv.Error:
                cells = []
            if len(cells) != self._n_columns:
                return TapeError(
                    f"{self._where}: row {number}: expected {self._n_columns} columns; got"
                    f" {len(cells)}: {line[:60].decode(errors='replace')!r}"
                )
        return TapeError(f"{self._where}: expected CSV ({reason_of(error)})")

    def line_of(self, index: int) -> int:
        """Return the number of the line with the row of an index, the file's first being 1."""
        for number, _ in self._lines():
            index -= 1
            if index < 0:
                return number
        return 0

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and text of each line behind the header that is not blank."""
        at, number = 0, 0
        while at < len(self._content):
            match = LINE.match(self._content, at)
            assert match is not None  # it matches anything
            at, number = match.end(), number + 1
            if match.start() >= self._start and (line := match[0].strip()):
                yield number, line

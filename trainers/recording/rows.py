"""An append-only file of fixed-size rows: one writer, any number of reading processes.

    | header, 1 page: magic, version, JSON of the layout | row 0 | row 1 | ...

Rows are written by one ``os.write`` and are in the page cache when it returns: they survive a kill
of the process, not a power cut. A kill during the call can leave a part of the rows, the last one
torn. The next writer cuts an incomplete group off; readers ignore a torn row.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.errors import reason_of
from trainers.recording.errors import RESTORE, LedgerError
from trainers.recording.files import append

PAGE = 4096
MAGIC = b"tickloop ledger "
VERSION = 1

# Not "move it away": the scores are those of all rows, and both files of a ledger belong together.
ADVICE = f"{RESTORE}, or begin another session"

Rows = NDArray[np.void]


class _Layout(msgspec.Struct):
    dtype: list[list[str]]
    learners: list[str]


def read_names(path: Path, dtype: np.dtype[np.void]) -> list[str]:
    """Return the learners' names from the header of a file of rows.

    Raises:
        LedgerError: if the file does not have this version's header, or has other rows.
        FileNotFoundError: if there is no such file: its writer has not started yet.
    """
    with path.open("rb") as file:
        page = file.read(PAGE)
    wanted = MAGIC + b"%d\n" % VERSION
    if len(page) < PAGE or not page.startswith(wanted):
        raise LedgerError(
            f"{path}: expected a file that begins with {wanted!r}, found {page[: len(wanted)]!r}"
            f" in {len(page)} bytes; it is not a ledger of this version: {ADVICE}"
        )
    try:
        layout = msgspec.json.decode(page[len(wanted) :], type=_Layout)
    except ValueError as e:
        raise LedgerError(
            f"{path}: expected its layout in JSON in the first {PAGE} bytes ({reason_of(e)}); it"
            f" was changed: {ADVICE}"
        ) from e
    if layout.dtype != _fields(dtype):
        raise LedgerError(
            f"{path}: expected rows of {_fields(dtype)}, found {layout.dtype};"
            f" it is not a ledger of this version: {ADVICE}"
        )
    return layout.learners


def read_rows(path: Path, dtype: np.dtype[np.void], start: int = 0) -> Rows:
    """Return a copy of the complete rows written so far, from row ``start`` on."""
    return np.fromfile(path, dtype, offset=PAGE + start * dtype.itemsize)


def read_newest(path: Path, dtype: np.dtype[np.void], most: int) -> Rows:
    """Return a copy of the newest complete rows, at most so many; 0 for all of them."""
    if not most:
        return read_rows(path, dtype)
    rows = read_rows(path, dtype, max(0, _complete(path, dtype) - most))
    return rows[-most:]  # some may have come meanwhile


def map_rows(path: Path, dtype: np.dtype[np.void]) -> Rows:
    """Return the complete rows written so far without reading them: pages come as they are used."""
    there = _complete(path, dtype)
    if not there:
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r", offset=PAGE, shape=(there,)))


def _complete(path: Path, dtype: np.dtype[np.void]) -> int:
    """Return how many complete rows a file has."""
    return max(0, path.stat().st_size - PAGE) // dtype.itemsize


class RowFile:
    """The only writer of a file of rows, which it locks; creates the file if it is missing.

    Args:
        path: the file.
        dtype: the dtype of one row, without padding.
        names: the learners' names.
        group: the number of rows that belong together: an incomplete group is cut off at opening.

    Attributes:
        found: ``(n,)`` the rows that the file held at opening.
        torn: the number of rows that were cut off at opening.

    Raises:
        LedgerError: if another process writes the file, or its layout or names differ.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[np.void], names: Sequence[str], *, group: int = 1
    ) -> None:
        self.path = path
        _make_file(path, dtype, names)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        try:
            self._check(dtype, list(names))
            self.torn = self._cut_torn_rows(dtype.itemsize, group)
            rows = read_rows(path, dtype)
        except BaseException:
            self.close()
            raise
        self.found = rows

    def append(self, rows: Rows) -> None:
        """Append rows; once this returns, a kill of the process does not lose them.

        Raises:
            OSError: if the disk has no room for all of them; the file is unchanged.
        """
        append(self._file, self.path, rows.tobytes())

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._file)

    def _check(self, dtype: np.dtype[np.void], names: list[str]) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise LedgerError(f"{self.path}: another process writes it; end that first") from e
        if (found := read_names(self.path, dtype)) != names:
            raise LedgerError(
                f"{self.path}: expected the learners {names}, found {found};"
                " give the session the learners that it began with, or begin another"
            )

    def _cut_torn_rows(self, itemsize: int, group: int) -> int:
        """Cut off an incomplete last group; return the number of rows that were cut off."""
        size = os.fstat(self._file).st_size
        torn = (size - PAGE) % (itemsize * group)
        os.ftruncate(self._file, size - torn)
        return -(-torn // itemsize)


def _fields(dtype: np.dtype[np.void]) -> list[list[str]]:
    return [[name, dtype[name].str] for name in dtype.names or ()]


def _make_file(path: Path, dtype: np.dtype[np.void], names: Sequence[str]) -> None:
    """Create the file with its header, unless it exists; no reader ever sees half a header."""
    layout = json.dumps({"dtype": _fields(dtype), "learners": list(names)})
    page = (MAGIC + b"%d\n%s" % (VERSION, layout.encode())).ljust(PAGE - 1) + b"\n"
    if len(page) > PAGE:
        raise LedgerError(
            f"{path}: the header has {PAGE} bytes, {len(names)} learners' names need {len(page)}:"
            " give them shorter names"
        )
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as file:
        file.write(page)
        file.flush()
        # A link fails where a rename would replace the file of a writer that came first.
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)

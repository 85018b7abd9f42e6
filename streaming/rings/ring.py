"""A bounded array in a memory-mapped file: one writer, any number of reading processes.

    | header, 1 page: layout, counters, stats | row 0 | row 1 | ... | row capacity - 1 |

Rows are numbered from 0 for ever (their *seq*); row ``seq`` lies in slot ``seq % capacity``.
The writer first raises ``reserved``, then writes the rows, then raises ``committed``. A
reader copies rows below ``committed`` and then reads ``reserved`` again: it cuts off the rows that
the writer may have overwritten meanwhile, so it never returns a torn row. Each counter is
one aligned 8-byte word; a fence keeps the steps in order (``streaming.rings.fence``).
The file outlives a killed process, as the kernel owns the pages of a shared mapping. Its room on
the disk is taken when it is made: a page without room would kill whoever writes it (SIGBUS).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.errors import RingError
from streaming.records import bytes_of, join
from streaming.rings.fence import make_fence

HEADER_BYTES = 4096  # one page
STATS_AT = 512
MAGIC = b"tickloop"
VERSION = 1

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<i8"),
        ("itemsize", "<i8"),
        ("capacity", "<i8"),
        ("reserved", "<i8"),
        ("committed", "<i8"),
    ]
)

NO_STATS = np.dtype([("unused", "<i8")])


class Rows(NamedTuple):
    """A copy of consecutive rows; ``rows[i]`` has seq ``first + i``."""

    first: int
    rows: NDArray[np.void]


class Ring:
    """Read side of a ring file.

    Args:
        path: an existing ring file.
        dtype: the dtype of one row.
        stats: the dtype of the record of counters in the header.

    Raises:
        RingError: if the file was made with another layout, or this machine has no fence.
        FileNotFoundError: if there is no such file (the writer has not started yet).
    """

    _mode: Literal["r", "r+"] = "r"

    def __init__(self, path: Path, dtype: np.dtype[np.void], stats: np.dtype[np.void] = NO_STATS):
        self.path = path
        self._fence = make_fence()
        if (size := path.stat().st_size) < HEADER_BYTES:
            raise RingError(f"{path}: expected a ring file, found {size} bytes: move it away")
        self._raw = np.memmap(path, np.uint8, self._mode)
        self._header = self._raw[: HEADER.itemsize].view(HEADER)[0]
        self._check(dtype)
        self.capacity = int(self._header["capacity"])
        self._bytes = np.asarray(self._raw[HEADER_BYTES:])
        self._rows = self._bytes.view(dtype)
        self.stats = self._raw[STATS_AT : STATS_AT + stats.itemsize].view(stats)[0]

    def _check(self, dtype: np.dtype[np.void]) -> None:
        header = self._header
        found = (bytes(header["magic"]), int(header["version"]), int(header["itemsize"]))
        wanted = (MAGIC, VERSION, dtype.itemsize)
        if found != wanted:
            raise RingError(
                f"{self.path}: expected (magic, version, bytes a row) {wanted}, found {found}; "
                "it is not a ring of this version: move it away"
            )
        size = HEADER_BYTES + int(header["capacity"]) * dtype.itemsize
        if len(self._raw) != size:
            raise RingError(
                f"{self.path}: expected {size} bytes, found {len(self._raw)}; it was cut off:"
                " move it away"
            )

    def __len__(self) -> int:
        """Rows that can be read now."""
        return max(0, self.committed - self.oldest)

    @property
    def committed(self) -> int:
        """The seq that the next row will get; all below are written."""
        return int(self._header["committed"])

    @property
    def oldest(self) -> int:
        """The lowest seq that is still whole."""
        return max(0, int(self._header["reserved"]) - self.capacity)

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        """Copy those of the rows ``start`` (included) to ``stop`` (excluded) that are there."""
        stop = self.committed if stop is None else min(stop, self.committed)
        start = min(max(start, self.oldest), stop)
        self._fence()
        rows = join(*(self._rows[part] for part in self._slots(start, stop)))
        self._fence()
        lost = min(max(0, self.oldest - start), len(rows))
        return Rows(start + lost, rows[lost:])

    def tail(self, n: int) -> Rows:
        """Copy the newest ``n`` rows, or as many as there are."""
        return self.read(self.committed - n)

    def _slots(self, start: int, stop: int) -> list[slice]:
        """Return where rows ``start`` to ``stop`` lie: in one piece, or in two around the end."""
        first = start % self.capacity
        before_end = min(stop - start, self.capacity - first)
        after = stop - start - before_end
        return [slice(first, first + before_end), slice(0, after)]


class RingWriter(Ring):
    """The one writer of a ring file; makes the file if it is missing.

    Raises:
        RingError: if another process writes the file, its layout differs, or there is no room for
            it.
    """

    _mode = "r+"

    def __init__(
        self,
        path: Path,
        dtype: np.dtype[np.void],
        capacity: int,
        stats: np.dtype[np.void] = NO_STATS,
    ):
        if STATS_AT + stats.itemsize > HEADER_BYTES:
            raise RingError(f"{path}: {stats.itemsize} bytes of stats do not fit the header page")
        with _in_words(path), contextlib.ExitStack() as opened:
            if not path.exists():
                _make_file(path, dtype, capacity)
            self._lock = opened.enter_context(path.open("r+b"))
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                raise RingError(f"{path}: another process writes this ring; end it first") from e
            # Older versions left the room to be taken page by page.
            _take_room(self._lock, path.stat().st_size)
            super().__init__(path, dtype, stats)
            opened.pop_all()  # nothing has failed: the lock is held until ``close``

    def append(self, rows: NDArray[np.void]) -> int:
        """Write ``rows`` and return the seq of the first; if too many, only the newest are kept."""
        first, size = self.committed, rows.itemsize
        if len(rows) == 0:
            return first
        stop = first + len(rows)
        kept = rows[-self.capacity :]
        self._header["reserved"] = max(stop, int(self._header["reserved"]))
        self._fence()
        for part in self._slots(stop - len(kept), stop):
            n = part.stop - part.start
            self._bytes[part.start * size : part.stop * size] = bytes_of(kept[:n])
            kept = kept[n:]
        self._fence()
        self._header["committed"] = stop
        return first

    def begin_at(self, seq: int) -> None:
        """Number the first row of an empty ring ``seq``: the rows before it are elsewhere.

        The next rows must fill the ring, or begin at row 0 again: the ring cannot tell rows that
        were never written from those that were.
        """
        self._header["reserved"] = self._header["committed"] = seq

    def take_back(self, seq: int) -> None:
        """Forget the rows from ``seq`` on, which no reader must have used yet."""
        self._header["committed"] = min(seq, self.committed)

    def close(self) -> None:
        """Release the write lock; the file stays."""
        self._lock.close()


def _make_file(path: Path, dtype: np.dtype[np.void], capacity: int) -> None:
    """Make the file under another name first: a reader never sees half a header."""
    header = np.zeros(1, HEADER)
    header[0] = (MAGIC, VERSION, dtype.itemsize, capacity, 0, 0)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(header.tobytes())
            file.flush()
            _take_room(file, HEADER_BYTES + capacity * dtype.itemsize)
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise


def _take_room(file: IO[bytes], size: int) -> None:
    """Give every page of ``file`` its place on the disk."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    elif size:  # macOS has no such call
        file.truncate(size)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Raise ``RingError`` where the system refuses a file."""
    try:
        yield
    except OSError as e:
        raise RingError(f"{path}: the ring cannot be written ({e.strerror or e})") from e

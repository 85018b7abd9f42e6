"""What is in a file on disk: itself, or the tables packed in it. Whatever it is, it is named."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa

from streaming.errors import TapeError, reason_of

FORMATS = "a folder of segments, or a table of trades as CSV or Parquet, also packed (gz, zip, zst)"
MAX_BYTES = 2 * 2**30  # of an unpacked table: it is read at once, in some 5 times as much memory
AT_ONCE = 2**20  # bytes


class Member(NamedTuple):
    """A table: its name in errors, and its content."""

    where: str
    content: bytes


# A packed table's first bytes, and what unpacks it.
UNPACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": lambda file: pa.CompressedInputStream(file, "zstd"),
}

ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

# First bytes of what is no table.
KINDS = {
    **dict.fromkeys(ZIPS, "a zip in another file"),
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\xd0\xcf\x11\xe0": "an Excel file (xls)",
    b"%PDF": "a PDF file",
    b"ARROW1": "an Arrow (Feather) file",
    b"ORC": "an ORC file",
    b"\x93NUMPY": "a numpy file",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"\x80": "a pickle",
    b"\x04\x22\x4d\x18": "an lz4 file",
    b"version https://git-lfs": "a pointer to a Git LFS file, which was not fetched",
    **dict.fromkeys((b"<!doctype", b"<html", b"<?xml", b"<table"), "an HTML or XML page"),
    **dict.fromkeys((b"{", b"["), "JSON"),
}
TAR_AT, TAR = 257, b"ustar"

KIND_OF_PATH = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

# What lies in a zip beside its tables.
ASIDE = re.compile(r"(^|/)(__MACOSX/|\.|README|LICENSE|[^/]*CHECKSUM)|/$", re.IGNORECASE)
TABLE = re.compile(r"\.(csv|tsv|txt|parquet)$", re.IGNORECASE)


def is_folder(path: Path) -> bool:
    """Return whether a tape is a folder and not a file.

    Raises:
        TapeError: if it is neither, does not exist, or may not be looked at.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            next(path.iterdir(), None)  # may it be entered?
            return True
        with path.open("rb") if stat.S_ISREG(mode) else io.BytesIO():
            pass  # may it be read?
    except (OSError, ValueError) as e:
        raise TapeError(f"{_shown(path)}: expected {FORMATS}; {_why(e)}") from e
    for is_kind, kind in KIND_OF_PATH:
        if is_kind(mode):
            raise TapeError(
                f"{path}: expected {FORMATS}; it is {kind}: a tape is read twice, so it must be a"
                " file"
            )
    return False


def members(path: Path) -> list[Member]:
    """Return the tables in a file, in the order of their names.

    Raises:
        TapeError: if there is none, or it cannot be unpacked.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            if start.startswith(ZIPS):
                found = _in_zip(path, file)
            else:
                found = [Member(str(path), _unpacked(path, start, file))]
    except TapeError:
        raise
    except Exception as e:  # foreign bytes: an unpacker raises whatever it likes
        if isinstance(e, OSError) and e.errno:  # it is the system's, not an unpacker's
            raise TapeError(f"{path}: expected {FORMATS}; {_why(e)}") from e
        raise TapeError(
            f"{path}: expected a whole tape, it is damaged or cut off ({reason_of(e)}); record or"
            " fetch it again"
        ) from e
    for member in found:
        _check_kind(member)
    return found


def _unpacked(path: Path, start: bytes, file: IO[bytes]) -> bytes:
    for first, unpacker in UNPACKERS.items():
        if start.startswith(first):
            with unpacker(file) as unpacked:
                return _read(str(path), unpacked, MAX_BYTES)
    return _read(str(path), file, MAX_BYTES)


def _read(where: str, file: IO[bytes], most: int) -> bytes:
    """Return all of a file, piece by piece: who is asked for 2 GB at once reserves as much."""
    content = io.BytesIO()
    while piece := file.read(AT_ONCE):
        content.write(piece)
        if content.tell() > most:
            raise TapeError(too_large(where))
    return content.getvalue()


def too_large(where: str) -> str:
    """Return what is said of a tape that does not fit into memory."""
    return f"{where}: expected at most {MAX_BYTES >> 30} GB of trades: split it by day"


def _in_zip(path: Path, file: IO[bytes]) -> list[Member]:
    with zipfile.ZipFile(file) as archive:
        there = {info.filename: info for info in archive.infolist()}
        if "[Content_Types].xml" in there:
            raise TapeError(f"{path}: expected {FORMATS}; it is an Excel file: export it as CSV")
        names = sorted(name for name in there if not ASIDE.search(name))
        names = [name for name in names if TABLE.search(name)] or names
        if not names:
            raise TapeError(f"{path}: expected a table in the zip; it holds none")
        found: list[Member] = []
        for name in names:
            if there[name].flag_bits & 1:
                raise TapeError(f"{path}: expected no password, {name} has one: unpack it first")
            try:
                with archive.open(name) as unpacked:
                    left = MAX_BYTES - sum(len(member.content) for member in found)
                    found.append(Member(f"{path}/{name}", _read(str(path), unpacked, left)))
            except NotImplementedError as e:
                raise TapeError(
                    f"{path}: expected a zip that Python can unpack; {name} is packed by method"
                    f" {there[name].compress_type} (9 is Deflate64, of Windows): unpack it first"
                ) from e
    return found


def _check_kind(member: Member) -> None:
    kinds = dict.fromkeys(UNPACKERS, "packed twice") | KINDS
    start = member.content[: TAR_AT + len(TAR)]
    text = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    found = "".join(
        kind for first, kind in kinds.items() if start.startswith(first) or text.startswith(first)
    )
    if start[TAR_AT:] == TAR:
        found = "a tar archive"
    if found:
        raise TapeError(
            f"{member.where}: expected {FORMATS}; it is {found}: unpack it, or export it as CSV"
        )


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "it may not be read by this user"
    return f"it cannot be read ({getattr(error, 'strerror', None) or reason_of(error)})"


def _shown(path: Path) -> str:
    """Return a path for an error, shortened if it is too long to be read."""
    text = str(path)
    return text if len(text) <= 300 else f"{text[:150]}...{text[-100:]} ({len(text)} characters)"

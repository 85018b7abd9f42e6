"""Whatever a path leads to is read, or named in one line; it never hangs."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import socket
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from streaming.tape import open_tape, parse_address, tape_symbols
from streaming.tape.tables.containers import MAX_BYTES
from tests.streaming.tape.samples import csv, file, read, refusal, refused, row

TEXT = csv(*(row(i) for i in range(6))).encode()
NEXT_DAY = csv(*(row(i) for i in range(6, 9))).encode()
TABLE = "BTCUSDT-trades-2023-11-14.csv"


def zipped(members: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    "pack",
    [
        lambda text: text,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda text: pa.compress(text, "zstd", asbytes=True),
        lambda text: gzip.compress(text[:90]) + gzip.compress(text[90:]),
    ],
    ids=["plain", "gz", "bz2", "xz", "zst", "gz in parts"],
)
def test_a_packed_table_reads_as_the_plain_one(tmp_path: Path, pack) -> None:
    assert read(file(tmp_path, pack(TEXT))).ticks["id"].tolist() == list(range(100, 106))


@pytest.mark.parametrize(
    "aside",
    [{}, {"data/": b""}, {"README.txt": b"hello"}, {"BTCUSDT-trades.zip.CHECKSUM": b"ab12"},
     {"__MACOSX/._BTCUSDT.csv": b"Mac"}, {"a/.hidden": b"x"}, {"LICENSE": b"free"},
     {"info.json": b"{}"}],
    ids=str,
)  # fmt: skip
def test_what_lies_in_a_zip_beside_its_table_is_left_aside(tmp_path: Path, aside) -> None:
    path = file(tmp_path, zipped({**aside, f"data/{TABLE}": TEXT}), "BTCUSDT-trades.zip")
    assert read(path).ticks["id"].tolist() == list(range(100, 106))


def test_two_days_in_a_zip_are_one_tape(tmp_path: Path) -> None:
    path = file(tmp_path, zipped({"BTCUSDT-2.csv": NEXT_DAY, "BTCUSDT-1.csv": TEXT}), "B.zip")
    refused(path, "got those of BTCUSDT-1, BTCUSDT-2")  # nobody knows that these are days
    days = {"BTCUSDT-trades-2023-11-15.csv": NEXT_DAY, "BTCUSDT-trades-2023-11-14.csv": TEXT}
    path = file(tmp_path, zipped(days), "BTCUSDT.zip")
    assert read(path).ticks["id"].tolist() == list(range(100, 109))
    assert tape_symbols(path) == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "expected a table in the zip; it holds none"),
        ({"README": b"hello"}, "expected a table in the zip; it holds none"),
        ({"a.csv": TEXT, "b.csv": b"x,y\n1,2\n"}, "T.zip/b.csv: expected"),
        ({"A-trades-1.csv": TEXT, "B-trades-1.csv": TEXT}, "files of one symbol"),
        ({"A-trades-1.csv": TEXT, "A-trades-2.csv": TEXT.replace(b",qty", b",x")}, "for size"),
        ({"a.zip": zipped({"a.csv": TEXT})}, "a zip in another file"),
        ({"a.csv": gzip.compress(TEXT)}, "packed twice"),
        ({"[Content_Types].xml": b"<x/>", "xl/book.xml": b"<x/>"}, "it is an Excel file"),
    ],
    ids=["none", "readme", "another", "symbols", "columns", "zip", "gz", "xlsx"],
)
def test_a_zip_that_is_no_tape_is_one_line(tmp_path: Path, members, says: str) -> None:
    refused(file(tmp_path, zipped(members), "T.zip"), says, symbol="T")


def patched(flags: int = 0, method: int = 8) -> bytes:
    """A zip whose headers say that its member is encrypted, or packed by another method."""
    content = bytearray(zipped({"a.csv": TEXT}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(mark) + at
        content[start : start + 4] = bytes([flags, 0, method, 0])
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (patched(flags=1), "expected no password, a.csv has one"),
        (patched(method=9), "packed by method 9"),
        (patched(method=77), "packed by method 77"),
        (zipped({"a.csv": TEXT})[:-30], "damaged or cut off"),
        (b"PK\x03\x04 no zip", "damaged or cut off"),
        (gzip.compress(TEXT)[:-20], "damaged or cut off"),
        (gzip.compress(TEXT)[:-8] + b"\1" * 8, "damaged or cut off"),
        (b"\x28\xb5\x2f\xfd no zstd", "damaged or cut off"),
        (gzip.compress(gzip.compress(TEXT)), "packed twice"),
        (b"PAR1 no parquet", "damaged or cut off"),
        (b"ARROW1\0\0", "an Arrow (Feather) file"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b" \n<!DOCTYPE html><html>", "an HTML or XML page"),
        (b"\xef\xbb\xbf<HTML><body><table>", "an HTML or XML page"),
        (b'{"error": "not found"}', "it is JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (bytes(range(128)) * 100, "it is no text"),
        (bytes(range(256)) * 100, "row 3: expected UTF-8"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    refused(file(tmp_path, content), says)


def test_a_tar_is_named_packed_or_not(tmp_path: Path) -> None:
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "a.tar", mode) as archive:
            archive.add(file(tmp_path, TEXT), "a.csv")
        refused(tmp_path / "a.tar", "it is a tar archive")


def test_a_file_that_unpacks_to_more_than_fits_is_refused(tmp_path: Path, monkeypatch) -> None:
    assert MAX_BYTES == 2 * 2**30
    monkeypatch.setattr("streaming.tape.tables.containers.MAX_BYTES", 100)
    for content in (TEXT, gzip.compress(TEXT), zipped({"a.csv": TEXT})):
        refused(file(tmp_path, content), "split it by day")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Nothing is forbidden to root, so be somebody else for a moment."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_paths_that_lead_to_no_file_are_named_and_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        refused(tmp_path / "socket", "it is a socket")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "pipe", "it is a named pipe")
    refused(tmp_path / "loop", "cannot be read")
    refused(tmp_path / "empty", "a session's segments; there are none")
    refused(tmp_path / "nowhere.csv", "there is no such file")
    refused(file(tmp_path, TEXT) / "below", "there is no such file")
    refused(tmp_path / "a\0b", "cannot be read")
    refused(Path("/dev/zero"), "it is a device")
    line = refusal(tmp_path / ("x" * 7000))
    assert "(File name too long)" in line
    assert len(line) < 700


def test_what_may_not_be_read_is_not_called_damaged() -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's own is closed to others
        Path(outer).chmod(0o755)
        locked, folder = file(Path(outer), TEXT), Path(outer) / "folder"
        inside = file(folder, b"PAR1", "BTCUSDT-000000000000-000000000001.parquet")
        locked.chmod(0)
        with as_nobody():
            refused(locked, "it may not be read by this user")
        for mode in (0o000, 0o644):  # not even its names; its names, but no files
            folder.chmod(mode)
            with as_nobody():
                refused(folder, "it may not be read by this user")
                refused(inside, "it may not be read by this user")
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["a b#c%20.csv", "what?.csv", "line\nbreak.csv", "~", "价格.csv"])
def test_any_name_of_a_file_works(tmp_path: Path, name: str) -> None:
    path = file(tmp_path, TEXT, name)
    for options in ("", "?venue=", "?unit=ms&sort=id"):
        tape = open_tape(parse_address(f"{path}{options}"))
        assert len(tape.read(tape.symbols[0]).ticks) == 6


def test_a_path_that_ends_as_if_it_said_options_is_one_if_it_is_there(tmp_path: Path) -> None:
    path = file(tmp_path, TEXT, "a?b=c.csv")
    for options in ("", "?venue="):
        assert open_tape(parse_address(f"{path}{options}")).symbols == ["A?B=C"]
    refused(tmp_path / "a?b=d.csv", "got 'b=d.csv'")


def test_an_error_is_one_line_whatever_the_name_of_the_file(tmp_path: Path) -> None:
    assert refusal(file(tmp_path, "x", "line\nbreak.csv")).startswith(r"line\nbreak.csv: expected")

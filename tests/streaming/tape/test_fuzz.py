"""Whatever bytes a tape has, it is read or refused in one line: nothing else is raised."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streaming.errors import ConfigError, TapeError
from streaming.exchange.sources import tape_chunks
from streaming.tape import open_tape, parse_address, write_segment
from tests.streaming.samples import run_of_ids
from tests.streaming.tape.samples import HEADER, csv, file, row

GOOD = csv(*(row(i) for i in range(30)))
NAMES = [
    "id", "price", "qty", "size", "amount", "time", "timestamp", "local_timestamp", "side", "Side",
    "is_buyer_maker", "symbol", "exchange", "recv_ns", "exch_us", "venue", "T", "m", "a", "x", "",
]  # fmt: skip
CELLS = [
    "", " ", "0", "1", "-1", "1.0", "1e5", "1E+09", "1,000.5", "nan", "NaN", "inf", "-inf", "1e400",
    "0x1F", "1_000", "+5", "true", "FALSE", "t", "buy", "SELL", "b", "unknown", "hold", "BTCUSDT",
    "btcusdt", "币", "x/y", "1700000000", "1700000000.123", "1700000000000", "1700000000000000",
    "1700000000000000000", "9" * 18, "9" * 19, "9" * 40, "-" + "9" * 19, "1." + "9" * 40,
    "2023-11-14 22:13:20", "2023-11-14T22:13:20Z", "2023-02-30 00:00:00", "9999-12-31 00:00:00",
    "2023-11-14 22:13:20+99:99", '"', '""', '"a\nb"', "'1", "é", "\0", "total", "\ufeff", "\u2028",
    "99999999999999999999.5", "0001-01-01 00:00:00", "1700000000.", ".5", "-.5", "5.e", "--",
]  # fmt: skip
OPTIONS = [
    "", "?venue=x", "?unit=s", "?unit=ns", "?sort=id", "?sort=time", "?sort=file",
    "?columns=id,price,size,time", "?columns=time,price,size,side,symbol,-",
]  # fmt: skip


def play(path: Path, options: str = "") -> None:
    """Play all of a tape, unless it is refused."""
    try:
        tape = open_tape(parse_address(f"{path}{options}"))
        found = {symbol: tape.read(symbol) for symbol in tape.symbols}
    except (TapeError, ConfigError) as refused:
        line = str(refused)
        assert str(path) in line or line.startswith("source: ")
        return
    for symbol, (chunk, _) in tape_chunks(found, 0, time.time_ns()).items():
        assert len(chunk.trades) == len(found[symbol].ticks) > 0
        assert (np.diff(chunk.due) >= 0).all()
        assert all(remark and "\n" not in remark for remark in found[symbol].remarks)


@contextlib.contextmanager
def nothing_kept() -> Iterator[None]:
    """What is reserved here is given back: a process with such reservations cannot fork."""
    before = psutil.Process().memory_info().vms
    yield
    assert psutil.Process().memory_info().vms < before + 8 * 2**30  # Arrow keeps some, for reuse


@pytest.fixture(scope="module", autouse=True)
def _nothing_kept_by_all() -> Iterator[None]:
    with nothing_kept():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@given(st.data())
def test_tables_of_plausible_and_odd_cells(folder: Path, data) -> None:
    columns = data.draw(st.integers(1, 8))
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=columns, max_size=columns))
    usual = [data.draw(st.sampled_from(CELLS)) for _ in names]
    rows = [
        [data.draw(st.sampled_from(CELLS)) if data.draw(st.integers(0, 9)) == 9 else cell
         for cell in usual]
        for _ in range(data.draw(st.integers(0, 8)))
    ]  # fmt: skip
    separator, end = (
        data.draw(st.sampled_from([",", ";", "\t"])),
        data.draw(st.sampled_from("\n\r")),
    )
    text = end.join(separator.join(cells) for cells in [names, *rows])
    play(file(folder, text), data.draw(st.sampled_from(OPTIONS)))


@given(st.data())
def test_binance_s_columns_with_odd_cells(folder: Path, data) -> None:
    fields = ["id", "price", "qty", "time", "maker"]
    rows = []
    for i in range(data.draw(st.integers(1, 12))):
        odd = data.draw(st.sets(st.sampled_from(fields), max_size=1))
        rows.append(row(i, **{name: data.draw(st.sampled_from(CELLS)) for name in odd}))
    order = data.draw(st.permutations(rows))
    text = csv(*order) if data.draw(st.booleans()) else "\n".join(order)
    play(file(folder, text), data.draw(st.sampled_from(OPTIONS[:7])))


def parquet(**columns: object) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


KINDS = [
    pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.string(), pa.large_string(),
    pa.bool_(), pa.timestamp("s"), pa.timestamp("ns", "UTC"), pa.date32(), pa.decimal128(38, 9),
    pa.null(), pa.binary(), pa.list_(pa.int8()), pa.time64("us"), pa.duration("ns"),
    pa.dictionary(pa.int8(), pa.string()), pa.struct([("a", pa.int8())]),
]  # fmt: skip
FIELDS = ["id", "price", "size", "time", "side"]


@given(st.lists(st.sampled_from(KINDS), min_size=5, max_size=5), st.integers(0, 3), st.booleans())
def test_parquet_of_whatever_types_is_played_or_refused_in_a_line(
    folder: Path, kinds, rows: int, filled: bool
) -> None:
    columns = {}
    for name, kind in zip(FIELDS, kinds, strict=True):
        try:
            values = pa.array([1_700_000_000] * rows).cast(kind) if filled else None
        except pa.ArrowException:
            values = None
        columns[name] = pa.nulls(rows, kind) if values is None else values
    try:
        content = parquet(**columns)
    except pa.ArrowException:
        return  # a type that Parquet does not have
    play(file(folder, content))


@pytest.fixture(scope="module")
def whole(folder: Path) -> list[bytes]:
    """Good files of every kind."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README", "hello")
        archive.writestr("BTCUSDT-trades-2023-11-14.csv", GOOD)
        archive.writestr("BTCUSDT-trades-2023-11-15.csv", GOOD)
    table = pa.csv.read_csv(io.BytesIO(GOOD.encode()))
    text, segment = GOOD.encode(), write_segment(folder, "BTCUSDT", 0, run_of_ids(0, 30))
    columns = {name: table[name] for name in HEADER.split(",")}
    return [
        text, gzip.compress(text), bz2.compress(text), lzma.compress(text), zipped.getvalue(),
        pa.compress(text, "zstd", asbytes=True), parquet(**columns),
        segment.read_bytes(),
    ]  # fmt: skip


@given(
    st.integers(0, 7), st.floats(0, 1), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)))
)
@example(4, 1.0, [(0.5, 255)])
def test_good_files_cut_off_and_with_flipped_bits(folder: Path, whole, which, cut, flips) -> None:
    content = bytearray(whole[which][: round(cut * len(whole[which]))])
    for where, bits in flips[:5]:
        if content:
            content[min(int(where * len(content)), len(content) - 1)] ^= bits
    play(file(folder, bytes(content)))


I32, I64 = 0x15, 0x16  # the next field is such a number


def varint(number: int) -> bytes:
    """A whole number as Parquet's footer has it: 7 bits a byte, the sign in the lowest bit."""
    left, found = 2 * number, b""
    while left > 127:
        left, found = left >> 7, found + bytes([left & 127 | 128])
    return found + bytes([left])


@pytest.mark.parametrize("rows", [10**6, 10**9, 10**10, 10**12, 2**62])
def test_a_parquet_file_that_claims_more_rows_than_it_has(folder: Path, whole, rows: int) -> None:
    content, size = whole[6], int.from_bytes(whole[6][-8:-4], "little")
    count, more = bytes([I64]) + varint(30), bytes([I64]) + varint(rows)
    footer = content[-8 - size : -8].replace(count, more)
    claims = content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with nothing_kept(), pytest.raises(TapeError, match=rf"it claims {rows} rows, and has 30"):
        open_tape(parse_address(str(file(folder, claims))))


def test_a_page_of_parquet_that_claims_more_than_it_has(folder: Path, whole) -> None:
    content, said = whole[6], []
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for at in [at for at in range(4, 20) if content[at] == I32]:  # its kind, sizes, values, codes
        end = next(end for end in range(at + 1, footer) if content[end] < 128) + 1
        for number in (2**30, 2**31 - 1):
            pages = content[: at + 1] + varint(number) + content[end:footer]
            claims = file(folder, pages[:footer] + content[footer:])
            with nothing_kept(), pytest.raises(TapeError) as refused:
                open_tape(parse_address(str(claims)))
            said.append(str(refused.value))
    assert any("of size 17179869184 failed" in line for line in said)  # 8 bytes a value


STARTS = [b"", b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08", b"BZh9", b"\x28\xb5\x2f\xfd"]


@given(st.binary(max_size=200), st.sampled_from(STARTS))
def test_bytes_of_any_kind_are_played_or_refused_in_a_line(
    folder: Path, content: bytes, start: bytes
) -> None:
    play(file(folder, start + content))


@given(st.text())
def test_whatever_is_said_of_a_tape_is_taken_or_refused(text: str) -> None:
    for source in (text, f"x?{text}", f"x?columns={text}", f"x?unit={text}&sort={text}"):
        with contextlib.suppress(ConfigError):
            parse_address(source)

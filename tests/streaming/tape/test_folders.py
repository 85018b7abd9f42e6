"""A folder of daily files is read whole, or refused in one line; what else lies in it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import TapeError
from streaming.tape import parse_address
from streaming.tape.parts import SymbolTape, look_at
from tests.streaming.tape.samples import csv, file, row

DAYS = [f"BTCUSDT-trades-2023-11-1{day}.csv" for day in (4, 5)]


def looked_at(folder: Path, symbol: str = "BTCUSDT") -> SymbolTape:
    [tape] = look_at(parse_address(str(folder)), [symbol], quotes=True)
    return tape


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Two files of one symbol that follow each other."""
    for day, name in enumerate(DAYS):
        file(tmp_path, csv(*(row(i) for i in range(day * 9, day * 9 + 9))), name)
    return tmp_path


def refused(folder: Path, *says: str) -> None:
    with pytest.raises(TapeError) as caught:
        looked_at(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert not [words for words in says if words not in line], line


def test_the_files_follow_each_other_whatever_their_order(days: Path) -> None:
    (days / DAYS[0]).rename(days / "BTCUSDT.z.csv")
    found = looked_at(days)
    assert [part.address.path.name for part in found.parts] == ["BTCUSDT.z.csv", DAYS[1]]
    assert (sum(part.ticks for part in found.parts), found.remarks) == (18, ())


@pytest.mark.parametrize(
    "name", ["README.txt", f"._{DAYS[0]}", ".hidden.csv", f"{DAYS[0]}.CHECKSUM", "LICENSE.txt"]
)
def test_what_a_zip_would_leave_out_is_left_out(days: Path, name: str) -> None:
    (days / name).write_bytes(b"\0 no table")
    assert looked_at(days).remarks == ()


def test_other_files_and_folders_are_named(days: Path) -> None:
    (days / "more.csv").mkdir()
    (days / "BTCUSDT-trades-2023-11-16.zip.part").write_bytes(b"half")
    [remark] = looked_at(days).remarks
    assert remark.endswith("no tables of trades: BTCUSDT-trades-2023-11-16.zip.part, more.csv/")


def test_only_so_many_are_named(days: Path) -> None:
    for i in range(99):
        (days / f"{i:02}.jpg").touch()
    [remark] = looked_at(days).remarks
    assert remark.endswith(": 00.jpg, 01.jpg, 02.jpg, 03.jpg, 04.jpg, ...")


def test_files_of_other_symbols_are_not_played_and_named(days: Path) -> None:
    file(days, csv(row(0, price=2)), "ETHUSDT-trades-2023-11-14.csv")
    file(days, csv(*(row(i) for i in range(18, 27))), "third-day.csv")
    found = looked_at(days)
    assert [part.address.path.name for part in found.parts] == DAYS
    assert found.remarks == (
        "not played, of other symbols: ETHUSDT-trades-2023-11-14.csv, third-day.csv",
    )


def test_what_is_wrong_in_one_file_is_named(days: Path) -> None:
    file(days, csv(row(20), row(21, maker="perhaps")), "BTCUSDT-trades-2023-11-16.csv")
    refused(days, "11-16.csv: row 3, column is_buyer_maker", "got 'perhaps'")


@pytest.mark.parametrize("content", ["", "id,price,qty,quote_qty,time,is_buyer_maker\n"])
def test_a_file_without_trades_is_refused(days: Path, content: str) -> None:
    file(days, content, "BTCUSDT-trades-2023-11-16.csv")
    refused(days, "11-16.csv: expected ")


def test_files_that_overlap_in_time_are_refused(days: Path) -> None:
    file(days, csv(*(row(i) for i in range(9))), "BTCUSDT-trades-2023-11-14 (1).csv")
    refused(days, "overlap in time: move one away")


@pytest.mark.parametrize("name", ["photo.jpg", "README.csv", "day.csv/"])
def test_a_folder_without_tables_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir() if name.endswith("/") else path.touch()
    refused(tmp_path, f"{tmp_path}: expected files of trades (.csv,", "there are none")

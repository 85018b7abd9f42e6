"""Other people's files: columns by name, every value known or refused with its row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.tape import read_tape, tape_symbols
from streaming.tape.address import OPTIONS, SORTS
from streaming.tape.tables.columns import FIELDS
from streaming.tape.tables.times import UNITS
from tests.streaming.tape.samples import (
    HEADER,
    NAME,
    START_MS,
    csv,
    file,
    read,
    refusal,
    refused,
    row,
)

OWN = """recv_ns,exch_us,venue,symbol,price,qty,side,trade_id,flag
1700000000200000000,1700000000100000,x,AAA,28145.10,0.002,sell,10,
1700000000300000000,1700000000200000,y,AAA,28145.11,0.003,buy,700,
1700000000400000000,1700000000250000,x,BBB,0.1,0.3,,5,
1700000000400000000,1700000000300000,x,AAA,0.0,0.0,buy,11,agg
1700000000500000000,1700000000400000,y,AAA,28145.12,0.004,buy,701,
"""

TARDIS = """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
bitmex,XBTUSD,1700000000100000,1700000000200001,8e6f-1c,sell,7100.5,100
bitmex,XBTUSD,1700000000300000,1700000000400001,9a77-2d,unknown,7101,200
"""

TRADES = """5,60000.01,0.5,30000.005,1700000000123,True,True
6,60000.02,0.25,15000.005,1700000000124,False,True
"""

BYBIT = """timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional
1696982287.4922,BTCUSDT,Sell,0.86,5.2390,ZeroMinusTick,f7496ecb-b174,4.50554e+08,0.86
1696982322.0561,BTCUSDT,Buy,0.13,5.2395,PlusTick,2089f1f4-d890,6.81135e+07,0.13
"""

BBGO = """12410770,sell,25.30000000,7.50300000,1700179210707
12410771,buy,9.20000000,7.50200000,1700179210710
"""


def test_rows_are_kept_in_the_order_of_receipt_bad_ones_too(tmp_path: Path) -> None:
    ticks = read_tape(file(tmp_path, OWN), "AAA")
    assert ticks.tolist() == [
        (10, 1_700_000_000_100_000_000, 1_700_000_000_200_000_000, 28145.10, 0.002, -1, 0),
        (11, 1_700_000_000_300_000_000, 1_700_000_000_400_000_000, 0.0, 0.0, 1, 0),
    ]


def test_of_several_venues_the_first_is_played_and_that_is_said(tmp_path: Path) -> None:
    path = file(tmp_path, OWN)
    found = read(path, symbol="AAA")
    assert found.ticks["id"].tolist() == [10, 11]
    assert "x's trades are played, not y's" in found.remarks
    assert read(path, "venue=y", "AAA").ticks["id"].tolist() == [700, 701]
    refused(path, "AAA at z is not on this tape; venues of AAA: x, y", "venue=z", "AAA")
    refused(file(tmp_path, csv(row(0)), "a.csv"), "it names no venues", "venue=z", "A")


def test_symbols_come_in_order_of_appearance(tmp_path: Path) -> None:
    assert tape_symbols(file(tmp_path, OWN)) == ["AAA", "BBB"]
    refused(file(tmp_path, OWN), "CCC is not on this tape; it has: AAA, BBB", symbol="CCC")


def test_a_symbol_in_another_case_is_the_one_there_is_unless_there_are_two(tmp_path: Path) -> None:
    path = file(tmp_path, OWN)
    found = read(path, "venue=x", "aaa")
    assert found.remarks[0] == "the tape spells it AAA"
    assert len(found.ticks) == 2
    both = file(tmp_path, OWN.replace("BBB", "aaa"), "both.csv")
    assert len(read_tape(both, "aaa")) == 1
    refused(both, "Aaa can be AAA or aaa", symbol="Aaa")


def test_rows_without_ids_and_sides_are_numbered_and_that_is_said(tmp_path: Path) -> None:
    text = OWN.splitlines()[0] + "\n0,1381239000012000,us,BAC,13.83,2000,,,2000\n" * 2
    found = read(file(tmp_path, text), symbol="BAC")
    assert found.ticks[["id", "ts_init", "side"]].tolist() == [(0, 0, 0), (1, 0, 0)]
    assert len(found.remarks) == 2


def test_tardis_files_are_read(tmp_path: Path) -> None:
    found = read(file(tmp_path, TARDIS), symbol="XBTUSD")
    assert found.ticks.tolist() == [
        (0, 1_700_000_000_100_000_000, 1_700_000_000_200_001_000, 7100.5, 100.0, -1, 0),
        (1, 1_700_000_000_300_000_000, 1_700_000_000_400_001_000, 7101.0, 200.0, 0, 0),
    ]
    assert "the trade ids are no whole numbers" in found.remarks[0]


def test_binance_files_need_no_header_and_are_named_by_their_file(tmp_path: Path) -> None:
    path = file(tmp_path, TRADES)
    assert tape_symbols(path) == ["BTCUSDT"]
    assert read(path).ticks.tolist() == [
        (5, 1_700_000_000_123_000_000, 0, 60000.01, 0.5, -1, 0),
        (6, 1_700_000_000_124_000_000, 0, 60000.02, 0.25, 1, 0),
    ]
    agg = "9,60000.01,0.5,100,105,1700000000123456,true\n"
    assert read(file(tmp_path, agg)).ticks.tolist() == [
        (9, 1_700_000_000_123_456_000, 0, 60000.01, 0.5, -1, 0)
    ]


def test_bybit_and_bbgo_files_are_read(tmp_path: Path) -> None:
    assert read(file(tmp_path, BYBIT)).ticks[["id", "ts_event", "price", "side"]].tolist() == [
        (0, 1_696_982_287_492_200_000, 5.2390, -1), (1, 1_696_982_322_056_100_000, 5.2395, 1),
    ]  # fmt: skip
    ticks = read(file(tmp_path, BBGO, "BTCUSDT-2023-11-17.csv")).ticks
    assert ticks[["id", "size", "price", "side"]].tolist() == [
        (12410770, 25.3, 7.503, -1), (12410771, 9.2, 7.502, 1),
    ]  # fmt: skip


COLUMNS = {
    "agg_trade_id": "7", "quantity": "0.5", "price": "30000.5", "transact_time": str(START_MS),
    "is_buyer_maker": "true", "first_trade_id": "1", "note": "x",
}  # fmt: skip


@settings(deadline=None)  # it writes files
@given(st.permutations(list(COLUMNS)), st.sampled_from([",", ";", "\t", "|"]), st.booleans())
def test_a_header_names_the_columns_in_whatever_order(tmp_path_factory, names, separator, upper):
    header = separator.join(name.upper() if upper else name for name in names)
    text = f"{header}\n{separator.join(COLUMNS[name] for name in names)}\n"
    ticks = read(file(tmp_path_factory.mktemp("tape"), text)).ticks
    assert ticks.tolist() == [(7, START_MS * 10**6, 0, 30000.5, 0.5, -1, 0)]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,price,qty,time", "expected a column for side or maker; found: id, price, qty, time"),
        ("id,qty,when,side", "expected a column for price, time; found: id, qty, when, side"),
        ("id,price,qty,amount,time,side", "one column for size, found 'qty' and 'amount'"),
        ("id,price,qty,time,side,is_buyer_maker", "found 'side' and 'is_buyer_maker'"),
        ("a,b,c", "it is 'a,b,c'"),
        ("1700000000000,30000,1", "it is '1700000000000,30000,1'"),
    ],
)
def test_a_header_that_does_not_say_all_is_refused(tmp_path: Path, header: str, says: str) -> None:
    line = refusal(file(tmp_path, csv(row(0), header=header)))
    assert line.startswith(f"{NAME}: ")
    assert says in line
    assert "tape:PATH?columns=" in line


def test_a_user_can_say_what_the_columns_are(tmp_path: Path) -> None:
    path = file(tmp_path, "1700000000.5,x,30000.5,2\n1700000001.5,x,30001,3\n")
    ticks = read(path, "columns=time,-,price,size").ticks
    assert ticks[["id", "ts_event", "price", "size", "side"]].tolist() == [
        (0, 1_700_000_000_500_000_000, 30000.5, 2.0, 0),
        (1, 1_700_000_001_500_000_000, 30001.0, 3.0, 0),
    ]
    for first in ("nan", "", "1e5", "-1"):  # a row, and no header
        again = file(tmp_path, f"1700000000.5,x,{first},2\n1700000001.5,x,30001,3\n")
        assert len(read(again, "columns=time,-,price,size").ticks) == 2
    named = file(tmp_path, csv(row(0), row(1)), "named.csv")  # what its header says is not taken
    ticks = read(named, "columns=id,size,price,-,time,maker", "NAMED").ticks
    assert ticks["size"].tolist() == [30_000, 30_001]
    refused(path, "expected 4, as the first line has; got 3", "columns=time,price,size")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("unti=ms", "got 'unti=ms'"),
        ("unit=minutes", "allowed: s, ms, us, ns"),
        ("sort=price", "allowed: id, time, file"),
        ("unit=s&unit=s", "each once"),
        ("columns=price,size", "expected price, size and time"),
        ("columns=price,size,time,price", "each field once"),
        ("columns=price,size,time,when", "got 'when'; allowed: id, price, size"),
        ("columns=price,size,time,side,maker", "one of side and maker"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(tmp_path: Path, options, says) -> None:
    line = refusal(tmp_path / "any.csv", options)
    assert line.startswith("source: ")
    assert says in line


@pytest.mark.parametrize(
    "words",
    ["true false", "TRUE FALSE", "1 0", "t f", "yes no", " True   False ", '"true" "false"'],
)
def test_who_was_the_maker_is_known_however_it_is_spelled(tmp_path: Path, words: str) -> None:
    yes, no = words.split(" ", 1) if "   " not in words else words.split("   ")
    rows = [row(0, maker=yes), row(1, maker=no)]
    assert read(file(tmp_path, csv(*rows))).ticks["side"].tolist() == [-1, 1]


@pytest.mark.parametrize("words", ["buy sell", "BUY SELL", "B S", "Buyer Seller"])
def test_the_taker_s_side_is_known_however_it_is_spelled(tmp_path: Path, words: str) -> None:
    rows = [f"{i},1,1,{START_MS}, {word} " for i, word in enumerate(words.split())]
    path = file(tmp_path, csv(*rows, header="id,price,size,time,side"))
    assert read(path).ticks["side"].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"maker": "maybe"}, "column is_buyer_maker: expected one of true, t, 1"),
        ({"price": "high"}, "column price: expected a number such as 30000.5; got 'high'"),
        ({"qty": '"1,000.5"'}, "column qty: expected a number such as 30000.5; got '1,000.5' (a s"),
        ({"time": "soon"}, "column time: expected a time in s, ms, us or ns"),
        ({"time": "1.69992E+12"}, "got '1.69992E+12' (a spreadsheet has saved it"),
        ({"id": "total"}, "column id: expected a whole number"),
        ({"id": "1E+09"}, "got '1E+09' (a spreadsheet has saved it"),
        ({"id": 10**19}, "column id: expected a whole number"),
    ],
    ids=str,
)
def test_a_value_not_understood_is_refused_with_its_row(tmp_path: Path, wrong, says) -> None:
    rows = [row(0), "", row(1), row(2, **wrong), row(3)]  # the blank one counts too
    for text in (csv(*rows), csv(*rows).replace("\n", "\r\n"), "\ufeff" + csv(*rows)):
        line = refusal(file(tmp_path, text))
        assert line.startswith(f"{NAME}: row 5, column ")
        assert says in line


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ("1,2", "row 4: expected 6 columns; got 2: '1,2'"),
        (row(2) + ",9", "row 4: expected 6 columns; got 7"),
        ('1,"2,3,4,5,6', "row 4: expected 6 columns; got 2"),
        ("total,,3.5,,,", "row 4, column id: expected a whole number"),
    ],
)
def test_a_row_of_another_kind_is_refused(tmp_path: Path, last: str, says: str) -> None:
    refused(file(tmp_path, csv(row(0), row(1), last)), says)


def test_bytes_that_are_no_utf_8_are_refused_with_their_row(tmp_path: Path) -> None:
    text = csv(row(0), row(1, maker="é")).encode("latin-1")
    refused(file(tmp_path, text), "row 3: expected UTF-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: ("\ufeff" + text).encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.rstrip().encode(),
        lambda text: ("\n\n" + text).encode(),
        lambda text: text.replace("\n", "\n\n  \n").encode(),
        lambda text: (text + ",,,,,\n,,,,,\n").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", " ,\t").encode(),
        lambda text: '"' + text.rstrip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    ],
    ids=[
        "BOM",
        "UTF-16",
        "CRLF",
        "CR",
        "no_newline",
        "leading_blank",
        "blank",
        "blank_cells",
        ";",
        "blanks",
        "quotes",
    ],
)
def test_how_a_file_was_saved_does_not_matter(tmp_path: Path, change) -> None:
    plain = csv(*(row(i) for i in range(4)))
    expected = read(file(tmp_path, plain))
    assert read(file(tmp_path, change(plain))).ticks.tolist() == expected.ticks.tolist()
    assert expected.remarks == ()


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["1000000.0", "1000001.0", "1000002.0"], [1_000_000, 1_000_001, 1_000_002]),
        (["7", "8", "9"], [7, 8, 9]),
        ([str(2**53 - 2), str(2**53 - 1), str(2**53)], [2**53 - 2, 2**53 - 1, 2**53]),
    ],
)
def test_ids_of_whole_numbers_are_kept(tmp_path: Path, ids, found) -> None:
    rows = [row(i, id=id) for i, id in enumerate(ids)]
    assert read(file(tmp_path, csv(*rows))).ticks["id"].tolist() == found


@pytest.mark.parametrize("first", [2**53 + 1, 10**19])
def test_ids_too_large_are_numbered_anew_and_that_is_said(tmp_path: Path, first: int) -> None:
    found = read(file(tmp_path, csv(*(row(i, id=first + i) for i in range(4)))))
    assert found.ticks["id"].tolist() == [0, 1, 2, 3]
    assert "neither gaps nor repeats can be seen" in found.remarks[0]


def test_a_row_without_an_id_leaves_the_ids_of_the_others(tmp_path: Path) -> None:
    rows = [row(i, id="" if i == 50 else 100 + i) for i in range(200)]
    found = read(file(tmp_path, csv(*rows)))
    assert found.ticks["id"].tolist() == [100 + i for i in range(200) if i != 50]
    assert found.remarks == ()  # half a percent is a trifle


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"price": ""}, "10 % of the rows are dropped: bad_price"),
        ({"qty": "nan"}, "10 % of the rows are dropped: bad_size"),
        ({"time": 7}, "10 % of the rows are dropped: bad_time"),
        ({"id": ""}, "10 % of the rows are dropped: no_id"),
        ({"maker": ""}, "the taker's side of 10 % of the trades is not known"),
    ],
    ids=str,
)
def test_what_is_dropped_or_unknown_is_said_from_1_percent_on(tmp_path, wrong, says) -> None:
    rows = [row(i, **(wrong if i % 10 == 0 else {})) for i in range(100)]
    assert any(says in remark for remark in read(file(tmp_path, csv(*rows))).remarks)


def test_repeated_trades_are_said_too(tmp_path: Path) -> None:
    rows = [row(i - i % 10 // 9) for i in range(100)]
    said = read(file(tmp_path, csv(*rows))).remarks
    assert said[0].startswith("10 % of the ids are there again")
    assert said[1].startswith("the ids jump at 10 % of the trades")


def test_a_tape_of_which_most_would_be_dropped_is_refused(tmp_path: Path) -> None:
    rows = [row(i, price=0 if i % 10 < 6 else 3000) for i in range(100)]
    line = refusal(file(tmp_path, csv(*rows)))
    assert "row 2, column price: expected a price above 0 and up to 1e+30, as 60 % of the" in line


def test_sizes_whose_sign_means_something_are_refused(tmp_path: Path) -> None:
    rows = [row(i, qty=-0.5 if i % 3 == 0 else 0.5) for i in range(30)]  # Bitfinex's: sold
    line = refusal(file(tmp_path, csv(*rows)))
    assert "row 2, column qty: expected a size above 0, as 33.3 % have a sign; got '-0.5'" in line


@settings(deadline=None)  # it writes files
@given(st.lists(st.floats(min_value=1e-13, max_value=1e12), min_size=1, max_size=20))
def test_prices_read_back_to_the_same_bits(tmp_path_factory, prices: list[float]) -> None:
    rows = [row(i, price=repr(price)) for i, price in enumerate(prices)]
    path = file(tmp_path_factory.mktemp("tape"), csv(*rows))
    assert read(path).ticks["price"].tolist() == prices


def test_the_document_names_all_that_can_be_said() -> None:
    text = (Path(__file__).parents[3] / "docs" / "tapes.md").read_text()
    for words in (FIELDS, UNITS, SORTS):
        assert all(f"`{word}`" in text for word in words)
    assert all(f"`{option}=`" in text for option in OPTIONS)


def parquet(folder: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), folder / "btcusdt-trades.parquet")
    return folder / "btcusdt-trades.parquet"


def test_parquet_of_pandas_is_read_whatever_the_types_of_its_columns(tmp_path: Path) -> None:
    moments = [dt.datetime(2023, 11, 14, 22, 13, 20 + i, 123_000, dt.UTC) for i in range(3)]
    ns = [(START_MS + 123 + 1000 * i) * 10**6 for i in range(3)]
    prices = [30_000.5, 30_001.0, None]
    for times in (
        pa.array(moments, pa.timestamp("ms", "UTC")),
        pa.array(moments, pa.timestamp("ns", "UTC")),
        np.array(ns),
        pa.array([float(f"{t // 10**9}.123") for t in ns]),
        pa.array([f"{moment}" for moment in moments]).dictionary_encode(),
    ):
        path = parquet(
            tmp_path, timestamp=times, trade_id=pa.array([5.0, 6.0, 7.0]), price=prices,
            quantity=pa.array([1, 2, 3]), buyer_maker=pa.array([True, False, None]),
        )  # fmt: skip
        ticks = read(path).ticks
        assert ticks["ts_event"].tolist() == ns
        assert ticks[["id", "size", "side"]].tolist() == [(5, 1, -1), (6, 2, 1), (7, 3, 0)]
        assert np.array_equal(ticks["price"], [30_000.5, 30_001.0, np.nan], equal_nan=True)


def test_parquet_without_the_columns_of_trades_is_refused(tmp_path: Path) -> None:
    refused(parquet(tmp_path, open=[1.0], time=[1]), "found open, time")
    path = parquet(tmp_path, price=[[1.0]], size=[1], time=[START_MS], side=["buy"])
    refused(path, "column price: expected text, numbers or times; it holds list<")


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    refused(file(tmp_path, HEADER + "\n"), "expected trades; it has a header and no rows")
    refused(file(tmp_path, HEADER + "\n,,,,,\n"), "it has a header and no rows")
    refused(file(tmp_path, ""), "the file is empty")
    refused(file(tmp_path, "\n \n"), "the file is empty")

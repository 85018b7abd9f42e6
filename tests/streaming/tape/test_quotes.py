"""Quotes on a tape: beside its trades, among them as they were received, and of our own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from streaming.exchange.sources import tape_chunks
from streaming.quotes import MARK, RECEIVED, make_quotes
from streaming.tape import SegmentKind, open_tape, parse_address, read_tape, write_segment
from streaming.tape.foreign.placing import placed, with_venue_times
from streaming.ticks import NS_PER_MS, NS_PER_S
from tests.streaming.samples import START, ticks_at
from tests.streaming.tape.samples import START_MS, csv, file, read, refusal, refused, row

REAL = Path(__file__).parents[3].parent / "shared" / "tapes"
WIRE = REAL / "wire" / "binance_spot_trade_bookticker_20240808.txt.gz"
BINANCE = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time"
TARDIS = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
US = 1000 * START_MS
BARE = "bid,ask,bid_size,ask_size,"


def of_binance(i: int, ms: int) -> str:
    return f"{i},29999.5,3,30000.5,{i + 1},{START_MS + ms}"


def trades(folder: Path, name: str = "BTCUSDT-trades-2023-11-14.csv", n: int = 4) -> Path:
    """Trades half a second apart."""
    return file(folder, csv(*(row(i) for i in range(n))), name)


def test_binance_s_book_ticker_beside_its_trades_is_played_with_them(tmp_path: Path) -> None:
    path = trades(tmp_path)
    book = csv(*(of_binance(i, ms) for i, ms in enumerate((0, 499, 500, 1200))), header=BINANCE)
    file(tmp_path, book, "BTCUSDT-bookTicker-2023-11-14.csv")
    recording = read(path)
    quotes = recording.quotes
    assert quotes[["id", "bid", "bid_size", "ask", "ask_size"]].tolist() == [
        (i, 29999.5, 3, 30000.5, i + 1) for i in range(4)
    ]
    # A trade of the same moment comes first: the quote may show what it took.
    assert quotes["after"].tolist() == [1, 1, 2, 3]
    assert quotes["ts_event"][1] == (START_MS + 499) * NS_PER_MS
    told = "the quotes in BTCUSDT-bookTicker-2023-11-14.csv are played with the trades"
    assert recording.remarks == (told,)
    assert len(open_tape(parse_address(str(path)), quotes=False).read("BTCUSDT").quotes) == 0


@pytest.mark.parametrize(
    ("of_trades", "of_quotes"),
    [
        ("BTCUSDT-trades-2023-11-14.csv", "BTCUSDT-bookTicker-2023-11-14.csv.gz"),
        ("BTCUSDT-aggTrades-2023-11-14.csv", "BTCUSDT-bookTicker-2023-11-14.csv"),
        ("binance_trades_2023-11-14_BTCUSDT.csv", "binance_quotes_2023-11-14_BTCUSDT.csv"),
        ("binance_trades_2023-11-14_BTCUSDT.csv", "binance_book_ticker_2023-11-14_BTCUSDT.csv.gz"),
        ("btcusdt.csv", "btcusdt_quotes.csv"),
    ],
)
def test_quotes_are_found_by_their_name(tmp_path: Path, of_trades: str, of_quotes: str) -> None:
    path = trades(tmp_path, of_trades)
    content = ",".join(["7,1,2,3,4", *[str(START_MS)] * 2]).encode()  # Binance's, without a header
    file(tmp_path, gzip.compress(content) if of_quotes.endswith("gz") else content, of_quotes)
    symbol = open_tape(parse_address(str(path))).symbols[0]
    assert read(path, symbol=symbol).quotes[["id", "bid", "ask_size"]].tolist() == [(7, 1, 4)]


def test_two_files_of_quotes_are_one_too_many(tmp_path: Path) -> None:
    path = trades(tmp_path)
    for name in ("BTCUSDT-bookTicker-2023-11-14.csv", "BTCUSDT-trades-2023-11-14_quotes.csv"):
        file(tmp_path, csv(of_binance(1, 1), header=BINANCE), name)
    refused(path, "expected one file of its quotes beside it; there are BTCUSDT-bookTicker")


def test_tardis_s_quotes_keep_the_order_received_and_their_symbol(tmp_path: Path) -> None:
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    sold = csv(*(f"x,{s},{US + i},{US + 10 + 10 * i},{i},buy,2,1" for s in "AB" for i in range(3)),
               header=head)  # fmt: skip
    book = csv(
        f"x,A,{US + 9},{US + 25},1,3,2,1", f"y,A,{US},{US},1,3,2,1", f"x,B,{US},{US + 1},5,3,2,1",
        header=TARDIS,
    )  # fmt: skip
    path = file(tmp_path, sold, "x_trades_2023.csv")
    file(tmp_path, book, "x_quotes_2023.csv")
    quotes = read(path, symbol="A").quotes
    assert quotes["after"].tolist() == [2]
    assert quotes["ts_event"].tolist() == [(US + 9) * 1000]
    assert read(path, symbol="B").quotes["after"].tolist() == [0]


def test_a_symbol_without_quotes_is_said(tmp_path: Path) -> None:
    path = trades(tmp_path)
    book = csv(f"x,ETHUSDT,{US},{US},1,3,2,1", header=TARDIS)
    file(tmp_path, book, "BTCUSDT-trades-2023-11-14_quotes.csv")
    recording = read(path)
    assert len(recording.quotes) == 0
    assert recording.remarks == ("BTCUSDT-trades-2023-11-14_quotes.csv has no quotes of BTCUSDT",)


@pytest.mark.parametrize(
    ("book", "says"),
    [
        (csv("1,2,3,4", header=f"{BARE[:-9]}time"), "expected a column for ask_size"),
        (csv(f"x,2,3,4,{START_MS}", header=f"{BARE}time"), "row 2, column bid"),
        (csv(f"3,2,3,4,{START_MS}", header=f"{BARE}time"), "a bid below the ask"),
        (csv(f"2,3,3,4,{START_MS}", header=f"{BARE}received"), "those of receipt"),
        (b"\x89HDF", "an HDF5 file"),
        (csv("1,2", header="hello,world"), "--quotes false"),
    ],
)  # fmt: skip
def test_quotes_that_are_not_understood_are_refused_in_a_line(tmp_path: Path, book, says) -> None:
    path = trades(tmp_path)
    file(tmp_path, book, "BTCUSDT-bookTicker-2023-11-14.csv")
    assert says in (line := refusal(path))
    assert "bookTicker" in line


def test_void_quotes_are_said_and_left_to_the_feed(tmp_path: Path) -> None:
    path = trades(tmp_path)
    rows = [of_binance(i, i) for i in range(9)] + [f"9,2,1,1,1,{START_MS}"]
    file(tmp_path, csv(*rows, header=BINANCE), "BTCUSDT-bookTicker-2023-11-14.csv")
    recording = read(path)
    assert len(recording.quotes) == 10
    assert recording.remarks[1] == "10 % of the quotes are dropped: bad_quote"


# As received


def line(at_ms: float, data: dict[str, object]) -> str:
    kind = "trade" if "t" in data else "bookTicker"
    stream = f"{str(data['s']).lower()}@{kind}"
    return f"{START + round(at_ms * NS_PER_MS)} {json.dumps({'stream': stream, 'data': data})}"


def sold(i: int, ms: int, symbol: str = "BTCUSDT") -> dict[str, object]:
    return {"e": "trade", "s": symbol, "t": i, "p": "2", "q": "1", "m": True,
            "T": START // NS_PER_MS + ms}  # fmt: skip


def quote(i: int, symbol: str = "BTCUSDT") -> dict[str, object]:
    return {"u": i, "s": symbol, "b": "1", "B": "2", "a": "3", "A": "4"}


def test_received_messages_are_played_in_their_order(tmp_path: Path) -> None:
    """The recorder's clock is a second behind; a trade takes 5 ms to come."""
    path = file(tmp_path, "\n".join([
        line(-900, quote(1)), line(-895, sold(7, 100)), line(-800, quote(2)),
        line(-790, sold(3, 205, "ETHUSDT")), line(-785, quote(3)), line(-783, sold(8, 209)),
        line(-500, quote(4, "ETHUSDT")), "",
    ]), "wire.txt")  # fmt: skip
    recording = read(path)
    assert recording.ticks["id"].tolist() == [7, 8]
    assert recording.quotes["id"].tolist() == [1, 2, 3]
    assert recording.quotes["after"].tolist() == [0, 1, 1]
    at = (recording.quotes["ts_event"] - START) / NS_PER_MS
    assert at.tolist() == [95, 195, 209]  # not behind the trade that came later
    assert read(path, symbol="ETHUSDT").quotes["after"].tolist() == [1]
    assert open_tape(parse_address(str(path))).symbols == ["BTCUSDT", "ETHUSDT"]


def test_a_line_that_is_no_message_is_refused_with_its_row(tmp_path: Path) -> None:
    lines = [line(0, sold(1, 0)), line(1, quote(1))]
    path = file(tmp_path, "\n".join(lines), "wire.txt")
    refused(path, "expected no venue, columns, unit or sort", "sort=id")
    for wrong in (
        "hello",
        line(2, {**sold(2, 0), "p": "x"}),
        line(2, {**quote(2), "b": None}),
        "12 {}",
    ):
        path = file(tmp_path, "\n".join([*lines, wrong]), "wire.txt")
        assert "wire.txt: row 3: expected the time of receipt" in refusal(path)


@pytest.mark.skipif(not WIRE.exists(), reason="the real tapes are not here")
def test_a_real_capture_is_played_as_it_was_received() -> None:
    tape = open_tape(parse_address(str(WIRE)))
    found = {symbol: tape.read(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    assert sum(len(each.ticks) for each in found.values()) == 34_419
    assert sum(len(each.quotes) for each in found.values()) == 131_932
    for each in found.values():
        assert (np.diff(each.quotes["ts_init"]) >= 0).all()
        assert (np.diff(each.quotes["ts_event"]) >= 0).all()
        assert (np.diff(each.quotes["after"]) >= 0).all()
    for chunk, _ in tape_chunks(found, 0, START + 10**9 * NS_PER_S).values():
        assert (np.diff(chunk.due) >= 0).all()


def test_quotes_pace_a_tape_as_they_were_received_if_all_was(tmp_path: Path) -> None:
    lines = [line(0, sold(7, 1000)), line(100, quote(1)), line(400, sold(8, 1100))]
    path = file(tmp_path, "\n".join(lines), "wire.txt")
    recording = read(path)
    chunk, _ = tape_chunks({"BTCUSDT": recording}, 0, START + NS_PER_S * 10**6)["BTCUSDT"]
    assert ((chunk.due - START) // NS_PER_MS).tolist() == [0, 100, 400]
    recording.quotes["ts_init"] = 0
    chunk, _ = tape_chunks({"BTCUSDT": recording}, 0, START + NS_PER_S * 10**6)["BTCUSDT"]
    assert ((chunk.due - START) // NS_PER_MS).tolist() == [1000, 1100, 1100]


# Our own


def test_a_session_s_own_tape_has_its_quotes_without_the_marks(tmp_path: Path) -> None:
    ticks = ticks_at(0.5, 1.5, 2.5)
    quotes = make_quotes(3)
    quotes["after"], quotes["flags"] = [10, 11, 13], [0, MARK, RECEIVED]
    quotes["bid"], quotes["ask"] = 1, 2
    quotes["ts_event"] = quotes["ts_init"] = START + NS_PER_S
    write_segment(tmp_path, "BTCUSDT", 10, ticks)
    write_segment(tmp_path, "BTCUSDT", 4, quotes[:2], SegmentKind.QUOTES)
    write_segment(tmp_path, "BTCUSDT", 6, quotes[2:], SegmentKind.QUOTES)
    recording = open_tape(parse_address(str(tmp_path))).read("BTCUSDT")
    assert recording.quotes[["after", "flags"]].tolist() == [(0, 0), (3, 0)]
    assert read_tape(tmp_path, "BTCUSDT").tolist() == ticks.tolist()
    assert open_tape(parse_address(str(tmp_path))).symbols == ["BTCUSDT"]


# Places


def test_quotes_are_placed_by_the_venue_s_time_and_behind_the_trade_of_a_moment() -> None:
    ticks = ticks_at(1, 2, 3)
    ticks["ts_init"] = 0
    quotes = make_quotes(4)
    quotes["id"] = np.arange(4)
    quotes["ts_event"] = START + np.array([4000, 2000, 1999, 500]) * NS_PER_MS
    found = placed(quotes, ticks)
    assert found["id"].tolist() == [3, 2, 1, 0]
    assert found["after"].tolist() == [0, 1, 2, 3]


def test_a_wrong_time_of_a_trade_does_not_move_the_quotes_behind_it() -> None:
    ticks = ticks_at(1, 5000, 2)
    ticks["ts_init"] = START + np.array([1000, 1500, 2000]) * NS_PER_MS
    quotes = make_quotes(1)
    quotes["flags"], quotes["after"], quotes["ts_init"] = RECEIVED, 3, START + 3 * NS_PER_S
    found = with_venue_times(quotes, ticks)
    assert found["ts_event"][0] < START + 5000 * NS_PER_S

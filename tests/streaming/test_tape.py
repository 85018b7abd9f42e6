"""Tapes: what was recorded is read back as it was, from every known format."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import from_dtype

from streaming.errors import TapeError
from streaming.ring import RingWriter
from streaming.tape import TapeWriter, read_tape, segments, tape_symbols, write_segment
from streaming.ticks import TICK, Ticks, make_ticks

REAL = Path(__file__).parents[2].parent / "shared" / "tapes"
needs_real_tapes = pytest.mark.skipif(not REAL.exists(), reason="the real tapes are not here")

TAPE = """recv_ns,exch_us,venue,symbol,price,qty,side,trade_id,flag
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

AGG_TRADES = """agg_trade_id,price,quantity,first_id,last_id,transact_time,is_buyer_maker
9,60000.01,0.5,100,105,1700000000123456,true
"""


def numbered(n: int, first: int = 0) -> Ticks:
    ticks = make_ticks(n)
    ticks["id"] = np.arange(first, first + n)
    ticks["price"] = 0.1 * ticks["id"]
    return ticks


def tape(folder: Path, text: str, name: str = "tape.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_csv_tape_keeps_rows_and_order_and_bad_rows_as_they_are(tmp_path: Path) -> None:
    ticks = read_tape(tape(tmp_path, TAPE), "AAA")
    assert ticks.tolist() == [
        (10, 1_700_000_000_100_000_000, 1_700_000_000_200_000_000, 28145.10, 0.002, -1, 0),
        (11, 1_700_000_000_300_000_000, 1_700_000_000_400_000_000, 0.0, 0.0, 1, 0),
    ]


def test_the_first_venue_that_has_the_symbol_is_read_unless_one_is_named(tmp_path: Path) -> None:
    path = tape(tmp_path, TAPE)
    assert read_tape(path, "AAA")["id"].tolist() == [10, 11]
    assert read_tape(path, "AAA", "y")["id"].tolist() == [700, 701]


def test_symbols_come_in_order_of_appearance(tmp_path: Path) -> None:
    assert tape_symbols(tape(tmp_path, TAPE)) == ["AAA", "BBB"]


def test_a_gzipped_tape_reads_as_the_plain_one(tmp_path: Path) -> None:
    zipped = tmp_path / "tape.csv.gz"
    zipped.write_bytes(gzip.compress(TAPE.encode()))
    assert (read_tape(zipped, "AAA") == read_tape(tape(tmp_path, TAPE), "AAA")).all()


def test_rows_without_ids_and_sides_are_counted_from_0_with_side_unknown(tmp_path: Path) -> None:
    text = TAPE.splitlines()[0] + "\n0,1381239000012000,us,BAC,13.83,2000,,,2000\n" * 2
    ticks = read_tape(tape(tmp_path, text), "BAC")
    assert ticks[["id", "ts_init", "side"]].tolist() == [(0, 0, 0), (1, 0, 0)]


def test_tardis_files_are_in_us_and_ids_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    ticks = read_tape(tape(tmp_path, TARDIS), "XBTUSD")
    assert ticks.tolist() == [
        (0, 1_700_000_000_100_000_000, 1_700_000_000_200_001_000, 7100.5, 100.0, -1, 0),
        (1, 1_700_000_000_300_000_000, 1_700_000_000_400_001_000, 7101.0, 200.0, 0, 0),
    ]


def test_binance_trades_need_no_header_and_are_named_by_their_file(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-trades-2024-01-01.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BTCUSDT-trades-2024-01-01.csv", TRADES)
    assert tape_symbols(path) == ["BTCUSDT"]
    assert read_tape(path, "BTCUSDT").tolist() == [
        (5, 1_700_000_000_123_000_000, 0, 60000.01, 0.5, -1, 0),
        (6, 1_700_000_000_124_000_000, 0, 60000.02, 0.25, 1, 0),
    ]


def test_binance_agg_trades_may_have_a_header_and_be_in_us(tmp_path: Path) -> None:
    path = tape(tmp_path, AGG_TRADES, "ETHUSDT-aggTrades-2025-01-01.csv")
    assert read_tape(path, "ETHUSDT").tolist() == [
        (9, 1_700_000_000_123_456_000, 0, 60000.01, 0.5, -1, 0)
    ]


@settings(deadline=None)  # it writes files
@given(st.lists(st.floats(min_value=1e-8, max_value=1e8), min_size=1, max_size=20))
def test_prices_read_back_to_the_same_bits(tmp_path_factory, prices: list[float]) -> None:
    rows = [f"{i},{price!r},1,1,1700000000123,True,True" for i, price in enumerate(prices)]
    folder = tmp_path_factory.mktemp("tape")
    path = tape(folder, "\n".join(rows), "AAA-trades-2024-01-01.csv")
    assert read_tape(path, "AAA")["price"].tolist() == prices


@settings(deadline=None)  # it writes files
@given(st.lists(from_dtype(TICK, allow_nan=False), max_size=20), st.integers(0, 20))
def test_segments_read_back_as_the_ticks_written(tmp_path_factory, rows, cut: int) -> None:
    ticks = np.array(rows, TICK)
    folder = tmp_path_factory.mktemp("tape")
    cut = min(cut, len(ticks))
    write_segment(folder, "BTC-USD", 7, ticks[:cut])
    write_segment(folder, "BTC-USD", 7 + cut, ticks[cut:])
    if len(ticks):
        assert (read_tape(folder, "BTC-USD") == ticks).all()
    assert tape_symbols(folder) == ["BTC-USD"]


def test_a_segment_s_name_tells_its_rows(tmp_path: Path) -> None:
    path = write_segment(tmp_path / "tape", "BTCUSDT", 5, numbered(3))
    assert path.name == "BTCUSDT-000000000005-000000000008.parquet"
    assert segments(tmp_path / "tape", "BTCUSDT") == [(5, 8, path)]
    assert (read_tape(path, "BTCUSDT") == numbered(3)).all()


def test_what_a_crash_left_unfinished_is_no_segment(tmp_path: Path) -> None:
    write_segment(tmp_path, "BTCUSDT", 0, numbered(3))
    (tmp_path / "BTCUSDT.unfinished").write_bytes(b"PAR1 half a f")
    assert len(read_tape(tmp_path, "BTCUSDT")) == 3
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def test_the_writer_goes_on_after_a_restart_where_the_last_segment_ends(
    tmp_path: Path, closing
) -> None:
    ring = closing(RingWriter(tmp_path / "ring", TICK, 100))
    ring.append(numbered(30))
    writer = TapeWriter(ring, tmp_path / "tape", "BTCUSDT")
    assert writer.pending == 30
    writer.write_pending()
    ring.append(numbered(40, 30))

    restarted = TapeWriter(ring, tmp_path / "tape", "BTCUSDT")
    assert restarted.next_seq == 30
    restarted.write_pending()
    assert restarted.write_pending() is None
    assert [part[:2] for part in segments(tmp_path / "tape", "BTCUSDT")] == [(0, 30), (30, 70)]
    assert (read_tape(tmp_path / "tape", "BTCUSDT") == numbered(70)).all()


def test_rows_overwritten_before_they_were_written_leave_a_hole_in_the_names(
    tmp_path, caplog, closing
):
    ring = closing(RingWriter(tmp_path / "ring", TICK, 10))
    writer = TapeWriter(ring, tmp_path / "tape", "BTCUSDT")
    ring.append(numbered(25))
    writer.write_pending()
    assert [part[:2] for part in segments(tmp_path / "tape", "BTCUSDT")] == [(15, 25)]
    assert "rows 0 to 14 were overwritten" in caplog.text


def test_a_folder_with_the_segments_of_another_ring_is_refused(tmp_path: Path, closing) -> None:
    write_segment(tmp_path / "tape", "BTCUSDT", 0, numbered(3))
    ring = closing(RingWriter(tmp_path / "ring", TICK, 10))
    with pytest.raises(TapeError, match="move the folder away"):
        TapeWriter(ring, tmp_path / "tape", "BTCUSDT")


def test_a_missing_symbol_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="CCC is not on this tape; it has: AAA, BBB"):
        read_tape(tape(tmp_path, TAPE), "CCC")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,b,c\n1,2,3\n", "'a,b,c'"),
        (b"", "expected a folder of segments"),
        (gzip.compress(TAPE.encode() * 100)[:-20], "damaged"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"PAR1 no parquet", "damaged"),
        (TAPE.encode()[:-40], "row 6: expected 9 columns; got 6"),
        (TAPE.replace("28145.10", "high").encode(), "row 2, column price: .* got 'high'"),
    ],
    ids=["columns", "empty", "gzip", "zip", "parquet", "csv", "number"],
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(tmp_path, content, says) -> None:
    path = tmp_path / "AAA.tape"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=says) as caught:
        read_tape(path, "AAA")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="there is no such file"):
        tape_symbols(tmp_path / "nowhere.csv")


@needs_real_tapes
def test_a_real_tape_has_contiguous_ids_and_receive_times() -> None:
    ticks = read_tape(REAL / "binance_spot_btc_eth_20240808.csv.gz", "BTCUSDT")
    assert len(ticks) == 19_904
    assert (np.diff(ticks["id"]) == 1).all()
    assert (ticks["ts_init"] > 0).all()


@needs_real_tapes
def test_a_real_tape_without_ids_sides_and_receive_times_can_be_read() -> None:
    ticks = read_tape(REAL / "us_equity_4sym_20131008.csv.gz", "SPY")
    assert ticks["id"].tolist() == list(range(149_121))
    assert not ticks["side"].any()
    assert not ticks["ts_init"].any()

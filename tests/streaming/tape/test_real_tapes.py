"""Real recorded tapes, where they are: they are played as they were received."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from streaming.tape import read_tape, tape_symbols

REAL = Path(__file__).parents[3].parent / "shared" / "tapes"
TAPES = [path for path in sorted(REAL.glob("*.csv.gz")) if "quotes" not in path.name]
needs_real_tapes = pytest.mark.skipif(not REAL.exists(), reason="the real tapes are not here")


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.name)
def test_a_real_tape_keeps_its_rows_and_their_order(path: Path) -> None:
    with gzip.open(path) as file:
        rows = pyarrow.csv.read_csv(file)
    symbol, venue = tape_symbols(path)[0], rows["venue"][0].as_py()
    mine = rows.filter((rows["symbol"].to_numpy() == symbol) & (rows["venue"].to_numpy() == venue))
    ticks = read_tape(path, symbol, venue)
    assert ticks["price"].tolist() == mine["price"].to_pylist()
    assert ticks["ts_event"].tolist() == [us * 1000 for us in mine["exch_us"].to_pylist()]


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

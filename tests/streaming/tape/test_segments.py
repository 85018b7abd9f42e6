"""A session's own tape: what was recorded is read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import from_dtype

from streaming.errors import TapeError
from streaming.rings.ring import RingWriter
from streaming.tape import (
    TapeWriter,
    open_tape,
    parse_address,
    read_tape,
    segments,
    tape_symbols,
    write_segment,
)
from streaming.ticks import TICK, Ticks, make_ticks


def numbered(n: int, first: int = 0) -> Ticks:
    ticks = make_ticks(n)
    ticks["id"] = np.arange(first, first + n)
    ticks["price"] = 0.1 * ticks["id"]
    return ticks


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


@pytest.mark.parametrize("symbol", ["XBT/USD", "币安人生USDT", "a=b", "btcusd", "^GSPC", "..x"])
def test_a_symbol_of_any_letters_names_its_segments(tmp_path: Path, symbol: str) -> None:
    path = write_segment(tmp_path / "tape", symbol, 0, numbered(3))
    assert path.parent == tmp_path / "tape"
    assert path.name.isascii()
    assert tape_symbols(tmp_path / "tape") == tape_symbols(path) == [symbol]
    assert (read_tape(tmp_path / "tape", symbol) == numbered(3)).all()


def test_a_segment_of_another_version_or_damaged_is_one_line(tmp_path: Path) -> None:
    path = write_segment(tmp_path, "BTCUSDT", 0, numbered(3))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TapeError, match=f"{path}: .*damaged or cut off"):
        read_tape(tmp_path, "BTCUSDT")
    pq.write_table(pa.table({"id": [1, 2], "price": [1.0, 2.0]}), path)
    with pytest.raises(TapeError, match="ts_event, ts_init, size, side, flags missing"):
        read_tape(tmp_path, "BTCUSDT")


def test_a_tape_of_our_own_needs_nothing_said_of_it(tmp_path: Path) -> None:
    write_segment(tmp_path, "BTCUSDT", 0, numbered(3))
    for options in ("unit=ms", "sort=time", "venue=x", "columns=price,size,time"):
        with pytest.raises(TapeError, match="expected no venue, columns, unit or sort"):
            open_tape(parse_address(f"{tmp_path}?{options}"))

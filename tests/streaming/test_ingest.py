from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bars import bars_of
from streaming.cache import bar_ring, tick_cache
from streaming.config import StreamConfig
from streaming.errors import RingError
from streaming.feed.market.ingest import Ingest
from streaming.ticks import AFTER_GAP, LATE, NS_PER_MS, REPAIRED
from tests.streaming.samples import markets, run_of_ids, splits

NO_BACKFILL = StreamConfig(backfill_seconds=0)


def stored(folder):
    """Ticks and bars as any other process reads them."""
    return tick_cache(folder, "X").read().rows, bar_ring(folder, "X").read().rows


def as_received(ticks):
    """The ticks as a decoder gives them: without the marks of later stages."""
    ticks = ticks.copy()
    ticks["flags"] = 0
    return ticks


@given(st.data(), st.sampled_from([0, 500, 5000]))
@settings(max_examples=60)
def test_a_restart_anywhere_equals_the_uninterrupted_run_to_the_bit(data, grace_ms):
    ticks = as_received(data.draw(markets(max_size=50, long_silences=False)))
    config = StreamConfig(backfill_seconds=0, grace_ms=grace_ms)
    kills = data.draw(splits(len(ticks)))
    with tempfile.TemporaryDirectory() as name:
        whole, parts = Path(name, "whole"), Path(name, "parts")
        for folder in (whole, parts):
            folder.mkdir()
        ingest = Ingest(whole, "X", config)
        ingest.push(ticks)
        ingest.close()
        for part in np.split(ticks, kills):
            ingest = Ingest(parts, "X", config)
            ingest.push(part)
            ingest.close()
        kept, bars = stored(whole)
        kept_in_parts, bars_in_parts = stored(parts)
        assert kept_in_parts.tolist() == kept.tolist()
        assert bars_in_parts.tobytes() == bars.tobytes()
        late = int(np.count_nonzero(kept["flags"] & LATE))
        assert tick_cache(parts, "X").stats["late"] == late


@pytest.mark.parametrize("grace_ms", [0, 700])
def test_a_restart_from_a_full_ring_writes_no_bar_twice_and_none_from_half_the_ticks(
    tmp_path, grace_ms, closing
):
    config = StreamConfig(backfill_seconds=0, tick_cache=100, grace_ms=grace_ms)
    ticks = run_of_ids(1, 1001)
    for part in np.split(ticks, 13 * np.arange(1, 70)):
        ingest = closing(Ingest(tmp_path, "X", config))
        ingest.push(part)
        ingest.close()
    kept, bars = stored(tmp_path)
    assert kept["id"].tolist() == list(range(901, 1001))
    wanted = bars_of(ticks, grace_ns=grace_ms * NS_PER_MS)[: len(bars)]
    assert len(bars) >= 98
    assert bars.tobytes() == wanted.tobytes()


def test_bars_are_written_before_the_ticks_that_made_them_final(tmp_path, monkeypatch, closing):
    ingest = closing(Ingest(tmp_path, "X", NO_BACKFILL))
    seen = []
    append = ingest.ticks.append

    def look_then_append(rows):
        bars = bar_ring(tmp_path, "X").read().rows
        seen.append((tick_cache(tmp_path, "X").committed + len(rows), len(bars)))
        return append(rows)

    monkeypatch.setattr(ingest.ticks, "append", look_then_append)
    ticks = run_of_ids(1, 101)
    for part in np.split(ticks, 10):
        ingest.push(part)
    final = bars_of(ticks)
    for n_ticks, n_bars in seen:
        known = (final["final_seq"] > 0) & (final["final_seq"] <= n_ticks)
        assert n_bars == known.sum()


def test_a_kill_between_bars_and_ticks_repeats_nothing(tmp_path, monkeypatch, closing):
    """The bars are on file, their last ticks are not; these come again, by repair."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    ticks = run_of_ids(1, 101)
    for folder in (whole, killed):
        folder.mkdir()
    ingest = closing(Ingest(whole, "X", NO_BACKFILL))
    ingest.push(ticks)

    ingest = closing(Ingest(killed, "X", NO_BACKFILL))
    ingest.push(ticks[:40])
    monkeypatch.setattr(ingest.ticks, "append", lambda rows: None)
    ingest.push(ticks[40:60])
    ingest.close()
    ingest = closing(Ingest(killed, "X", NO_BACKFILL))
    assert ingest.ticks.committed == 40
    ingest.push(ticks[40:])
    for ours, theirs in zip(stored(killed), stored(whole), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_a_process_that_starts_anew_drops_what_the_venue_replays(tmp_path, closing):
    for _ in range(3):
        ingest = closing(Ingest(tmp_path, "X", NO_BACKFILL))
        ingest.push(run_of_ids(1, 51))
        ingest.close()
    kept, _ = stored(tmp_path)
    assert kept["id"].tolist() == list(range(1, 51))
    assert tick_cache(tmp_path, "X").stats["duplicates"] == 100


def test_a_hole_is_filled_in_id_order_and_counted(tmp_path, closing):
    ingest = closing(Ingest(tmp_path, "X", NO_BACKFILL))
    ticks = run_of_ids(1, 101)
    ingest.push(ticks[[*range(30), *range(40, 100)]])
    assert ingest.ticks.committed == 30
    found = ticks[30:40].copy()
    found["flags"] = REPAIRED
    ingest.fill(found)
    kept, bars = stored(tmp_path)
    assert kept["id"].tolist() == ticks["id"].tolist()
    assert np.flatnonzero(kept["flags"] & REPAIRED).tolist() == list(range(30, 40))
    assert (ingest.stats["repaired"], ingest.stats["gaps"]) == (10, 0)
    assert not bars["gap"].any()


def test_a_hole_that_stays_is_marked_in_ticks_and_bars_and_counted(tmp_path, closing):
    ingest = closing(Ingest(tmp_path, "X", NO_BACKFILL))
    ticks = run_of_ids(1, 101)
    ingest.push(ticks[[*range(30), *range(55, 100)]])
    assert ingest.give_up() == (31, 55)
    assert ingest.give_up() is None
    kept, bars = stored(tmp_path)
    assert kept["id"][kept["flags"] & AFTER_GAP != 0].tolist() == [56]
    assert (ingest.stats["gaps"], ingest.stats["missing"]) == (1, 25)
    opened = (bars["ts_open"] - bars["ts_open"][0]) // 10**9
    assert opened[bars["gap"] != 0].tolist() == [3, 4, 5]  # ids 30 and 56, ten a second


def test_history_comes_first_and_is_counted(tmp_path, closing):
    ingest = closing(Ingest(tmp_path, "X", StreamConfig(backfill_seconds=60)))
    ticks = run_of_ids(1, 101)
    ingest.push(ticks[80:])
    assert ingest.ticks.committed == 0
    ingest.begin(ticks[:80])
    assert stored(tmp_path)[0]["id"].tolist() == ticks["id"].tolist()
    assert ingest.stats["backfilled"] == 80


def test_a_resumed_session_asks_for_no_history(tmp_path, closing):
    config = StreamConfig(backfill_seconds=60)
    ingest = closing(Ingest(tmp_path, "X", config))
    ingest.push(run_of_ids(1, 11))
    ingest.begin(run_of_ids(1, 1))
    ingest.close()
    ingest = closing(Ingest(tmp_path, "X", config))
    ingest.push(run_of_ids(11, 12))
    assert ingest.ticks.committed == 11


def test_two_processes_cannot_write_one_symbol(tmp_path, closing):
    ingest = closing(Ingest(tmp_path, "X", NO_BACKFILL))
    with pytest.raises(RingError, match=r"X\.ticks: another process"):
        Ingest(tmp_path, "X", NO_BACKFILL)
    ingest.close()
    Ingest(tmp_path, "X", NO_BACKFILL).close()

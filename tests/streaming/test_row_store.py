"""Nothing is overwritten before it is on tape, whatever comes and whatever fails."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.cache import tick_cache
from streaming.config import StreamConfig
from streaming.errors import RingError
from streaming.events import Code
from streaming.feed.market.ingest import Ingest
from streaming.tape import read_tape, segments
from streaming.ticks import REPAIRED
from tests.streaming.samples import run_of_ids

CAPACITY = 100
TAPED = StreamConfig(backfill_seconds=0, tick_cache=CAPACITY, segment_seconds=60)


def on_tape(folder):
    """The ids on tape; its segments must follow each other from row 0 on."""
    found = segments(folder / "tape", "X")
    assert [part.first for part in found] == [0, *(part.stop for part in found)][: len(found)]
    return read_tape(folder / "tape", "X")["id"].tolist() if found else []


def kill(ingest):
    """End it as SIGKILL would: the locks go, nothing is written."""
    for ring in (ingest.ticks, ingest.bars, ingest.quote_store.ring):
        ring.close()


@given(st.lists(st.tuples(st.integers(0, 350), st.sampled_from(["", "kill", "write"])), max_size=8))
@settings(max_examples=40)
def test_whatever_batches_come_and_whoever_is_killed_the_tape_has_every_row(steps):
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), 1
        ingest = Ingest(folder, "X", TAPED)
        for n, then in steps:
            ingest.push(run_of_ids(first, first + n))
            first += n
            if then == "kill":
                kill(ingest)
                ingest = Ingest(folder, "X", TAPED)
            elif then == "write":
                ingest.store.write_tape()
            assert ingest.store.pending <= CAPACITY
        kept = ingest.ticks.read().rows["id"].tolist()
        ingest.close()
        assert on_tape(folder) == list(range(1, first))
        assert kept == list(range(max(1, first - CAPACITY), first))


def test_history_and_the_trades_after_it_appear_at_once_as_many_as_the_cache_holds(
    tmp_path, closing, monkeypatch
):
    config = StreamConfig(backfill_seconds=900, tick_cache=CAPACITY)
    ingest = closing(Ingest(tmp_path, "X", config))
    ingest.push(run_of_ids(901, 931))
    assert ingest.room_for_history == 70
    seen, append = [], ingest.ticks.append
    monkeypatch.setattr(ingest.ticks, "append", lambda rows: seen.append(len(rows)) or append(rows))
    ingest.begin(run_of_ids(801, 901))
    assert seen == [CAPACITY]
    assert ingest.ticks.read().rows["id"].tolist() == list(range(831, 931))
    assert ingest.stats["backfilled"] == 70
    ingest.push(run_of_ids(931, 1200))
    ingest.close()
    assert on_tape(tmp_path) == list(range(831, 1200))


def test_more_than_the_cache_holds_comes_in_parts_each_with_its_bars(tmp_path, closing):
    ingest = closing(Ingest(tmp_path, "X", TAPED))
    ingest.push(run_of_ids(1, 1051))
    assert ingest.bars.read().rows["final_seq"].tolist() == list(range(10, 1051, 10))
    kill(ingest)
    ingest = closing(Ingest(tmp_path, "X", TAPED))
    ingest.push(run_of_ids(1051, 1061))
    ingest.close()
    assert on_tape(tmp_path) == list(range(1, 1061))


def test_without_a_tape_by_choice_old_rows_go(tmp_path, closing):
    config = StreamConfig(backfill_seconds=0, tick_cache=CAPACITY, segment_seconds=0)
    ingest = closing(Ingest(tmp_path, "X", config))
    ingest.push(run_of_ids(1, 1001))
    assert ingest.ticks.read().rows["id"].tolist() == list(range(901, 1001))
    assert (ingest.store.pending, on_tape(tmp_path)) == (0, [])


class Said(list):
    """What was reported."""

    def __call__(self, code, text, about):
        self.append((code, text))


def test_a_tape_that_cannot_be_written_is_said_once_and_written_later(tmp_path, closing):
    (tmp_path / "tape").write_text("in the way")  # a write fails here whoever makes it
    said = Said()
    ingest = closing(Ingest(tmp_path, "X", TAPED, said))
    for first in range(1, 81, 10):
        ingest.push(run_of_ids(first, first + 10))
        ingest.store.write_tape()
    assert [code for code, _ in said] == [Code.TAPE_FAILED]
    assert ingest.store.pending == 80
    (tmp_path / "tape").unlink()
    ingest.push(run_of_ids(81, 151))
    assert [code for code, _ in said] == [Code.TAPE_FAILED, Code.TAPE_BACK]
    ingest.close()
    assert on_tape(tmp_path) == list(range(1, 151))


def test_before_a_row_is_lost_the_feed_ends_and_the_next_one_goes_on(tmp_path, closing):
    (tmp_path / "tape").write_text("in the way")
    ingest = closing(Ingest(tmp_path, "X", TAPED))
    ingest.push(run_of_ids(1, 91))
    with pytest.raises(RingError, match=r"X\.ticks: 90 rows are not on tape .*make room") as error:
        ingest.push(run_of_ids(91, 121))
    assert "\n" not in str(error.value)
    kill(ingest)
    assert tick_cache(tmp_path, "X").read().rows["id"].tolist() == list(range(1, 91))
    (tmp_path / "tape").unlink()
    ingest = closing(Ingest(tmp_path, "X", TAPED))
    missed = run_of_ids(91, 131)
    missed["flags"][:30] = REPAIRED
    ingest.push(missed)
    ingest.close()
    assert on_tape(tmp_path) == list(range(1, 131))
    rows = tick_cache(tmp_path, "X").read().rows
    assert np.array_equal(rows["id"], np.arange(31, 131))

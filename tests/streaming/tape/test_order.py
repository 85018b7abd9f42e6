"""The order of rows: looked at, never assumed; what is done is said, contradictions are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.feed.market.sequence import Sequencer
from streaming.tape.foreign.order import BY_ID, BY_TIME, REVERSED, OrderError, order_of
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks
from tests.streaming.samples import run_of_ids
from tests.streaming.tape.samples import START_MS, csv, file, read, refused, row


def played(ticks: Ticks, has_ids: bool = True, sort: str = "") -> tuple[Ticks, str, bool]:
    order = order_of(ticks, has_ids, sort)
    return (ticks if order.rows is None else ticks[order.rows]), order.why, order.counts


def fetched(n: int = 200) -> Ticks:
    """Trades 100 ms apart that do not tell when they were received."""
    ticks = run_of_ids(1000, 1000 + n)
    ticks["ts_init"] = 0
    return ticks


def two_months(n: int = 100) -> tuple[Ticks, Ticks]:
    first, second = fetched(n), fetched(n)
    second["id"] += 30_000_000
    second["ts_event"] += 26 * 86_400 * NS_PER_S
    return first, second


@settings(max_examples=50)
@given(st.permutations(range(60)))
def test_rows_in_whatever_order_come_out_by_id(places: list[int]) -> None:
    ticks = fetched(60)
    ticks["ts_event"] += np.arange(60) * NS_PER_S
    found, _, counts = played(ticks[places])
    assert (found == ticks).all()
    assert counts


@pytest.mark.parametrize("has_ids", [True, False])
def test_newest_first_is_turned_round(has_ids: bool) -> None:
    ticks = fetched()
    found, why, _ = played(ticks[::-1], has_ids)
    assert (found == ticks).all()
    assert why == (BY_ID if has_ids else REVERSED)


@pytest.mark.parametrize("has_ids", [True, False])
def test_interleaved_months_are_put_one_behind_the_other(has_ids: bool) -> None:
    first, second = two_months()
    mixed = np.stack([second, first], axis=1).ravel()
    found, why, _ = played(mixed, has_ids)
    assert (found == np.concatenate([first, second])).all()
    assert why == (BY_ID if has_ids else BY_TIME)


def test_files_put_together_in_the_wrong_order_are_sorted() -> None:
    first, second = two_months()
    found, why, _ = played(np.concatenate([second, first]))
    assert (found == np.concatenate([first, second])).all()
    assert why == BY_ID


def test_rows_in_order_are_left_alone_though_times_jitter() -> None:
    ticks = fetched()
    ticks["ts_event"] += np.random.default_rng(0).integers(-400, 400, 200) * NS_PER_MS
    for has_ids in (True, False):
        assert order_of(ticks, has_ids).rows is None


def test_a_capture_keeps_its_order_late_rows_and_repeats_too() -> None:
    ticks = run_of_ids(0, 100)[[*range(50), 20, *range(51, 100), 50]]
    ticks["ts_init"] = ticks["ts_event"][0] + np.arange(101) * NS_PER_S
    assert order_of(ticks, has_ids=True).rows is None


def test_when_all_was_fetched_at_once_is_no_order_of_receipt() -> None:
    ticks = fetched()[::-1].copy()
    ticks["ts_init"] = ticks["ts_event"].max()
    assert order_of(ticks, has_ids=True).why == BY_ID


def test_one_wrong_time_moves_nothing() -> None:
    ticks = fetched()
    for wrong in (0, int(ticks["ts_event"][0]) + 86_400 * NS_PER_S):
        ticks["ts_event"][100] = wrong
        assert order_of(ticks, has_ids=True).rows is None
        assert order_of(ticks, has_ids=False).rows is None


def test_a_venue_that_counts_anew_is_followed() -> None:
    first, second = fetched(), fetched()
    second["ts_event"] += 3600 * NS_PER_S
    ticks = np.concatenate([first, second])
    found, why, counts = played(ticks)
    assert (found == ticks).all()
    assert (why, counts) == ("", True)
    assert len(Sequencer().push(found[:200])) == 200
    found, why, counts = played(ticks[::-1])
    assert (found == ticks).all()
    assert (why, counts) == (REVERSED, True)


def test_a_new_count_that_overlaps_the_old_one_a_little_is_not_mixed_with_it() -> None:
    first, second = fetched(), fetched()
    second["id"] += 180
    second["ts_event"] += 3600 * NS_PER_S
    assert order_of(np.concatenate([first, second]), has_ids=True).rows is None


def test_ids_that_tell_nothing_do_not_count_the_trades() -> None:
    ticks = fetched()
    ticks["id"] = np.random.default_rng(0).permutation(ticks["id"])
    found, why, counts = played(ticks)
    assert (found == ticks).all()
    assert (why, counts) == ("", False)


def test_ids_that_rise_as_times_fall_are_refused_unless_a_user_says_which_is_right() -> None:
    ticks = fetched()
    ticks["ts_event"] = ticks["ts_event"][::-1].copy()
    with pytest.raises(OrderError):
        order_of(ticks, has_ids=True)
    by_id, _, counts = played(ticks, sort="id")
    assert (by_id == ticks).all()
    assert counts
    by_time, _, counts = played(ticks, sort="time")
    assert (by_time == ticks[::-1]).all()
    assert not counts
    assert order_of(ticks[::-1], has_ids=True, sort="file").rows is None


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_rows_have_an_order_too(n: int) -> None:
    ticks = fetched(n)
    for has_ids in (True, False):
        assert (played(ticks[::-1], has_ids)[0] == ticks).all()
    assert len(played(make_ticks(n))[0]) == n


def test_contradictions_in_a_file_are_one_line_and_sorting_is_said(tmp_path: Path) -> None:
    rows = [row(i, time=START_MS - 5000 * i) for i in range(40)]
    path = file(tmp_path, csv(*rows))
    refused(path, "ids and times contradict each other: say what is right, tape:PATH?sort=id")
    assert read(path, "sort=time").ticks["id"].tolist() == list(range(40))
    assert read(path, "sort=file").ticks["id"].tolist() == list(range(100, 140))
    found = read(file(tmp_path, csv(*(row(i) for i in reversed(range(40))))))
    assert found.ticks["id"].tolist() == list(range(100, 140))
    assert found.remarks == (BY_ID,)

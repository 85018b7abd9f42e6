from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.features import COLUMNS, WARMUP_BARS, features_of
from datamodules.labelled_rows import ROW_BARS, labelled_rows, newest_rows
from datamodules.snapshot import NotEnoughBarsError
from tests.datamodules.samples import bars_from, gaps_of, random_bars

SETS = pytest.mark.parametrize("name", COLUMNS)
N = 180


def newest_row(bars, features):
    """The newest bar's row (1, F); None in the warm-up, or if its bars have a gap."""
    rows, _ = newest_rows(bars, features, 1)
    return rows if len(rows) else None


def by_loop(bars, name):
    """(row, up, open of the bar with the label) for each row whose bar is followed by a move."""
    found = []
    for i in range(WARMUP_BARS, len(bars) - 1):
        near = bars["gap"][i - WARMUP_BARS : i + 2]  # the bars of the features, and of the label
        close, after = bars["close"][i : i + 2]
        if not near.any() and after != close:
            (row,) = features_of(bars[i - WARMUP_BARS : i + 1], name)
            found.append((row.tobytes(), bool(after > close), int(bars["ts_open"][i + 1])))
    return found


@SETS
@settings(deadline=None, max_examples=15)
@given(gaps=gaps_of(N), seed=st.integers(0, 999))
def test_rows_and_labels_agree_with_a_loop_wherever_the_gaps_are(name, gaps, seed):
    bars = random_bars(N, seed)
    bars["gap"][gaps] = 1
    rows = labelled_rows(bars, name)
    found = zip(rows.x, rows.up, rows.ts, strict=True)
    assert [(x.tobytes(), bool(up), int(ts)) for x, up, ts in found] == by_loop(bars, name)


def test_labels_by_hand_and_bars_that_did_not_move_are_left_out():
    bars = bars_from(np.r_[np.full(WARMUP_BARS, 5.0), 5.0, 6.0, 6.0, 4.0, 5.0])
    rows = labelled_rows(bars, "flow")
    assert rows.up.tolist() == [True, False, True]
    assert rows.ts.tolist() == bars["ts_open"][[50, 52, 53]].tolist()


@settings(deadline=None, max_examples=15)
@given(n=st.integers(ROW_BARS, N), seed=st.integers(0, 99))
def test_later_bars_change_no_row_and_no_label(n, seed):
    bars = random_bars(N, seed)
    early, late = labelled_rows(bars[:n], "flow"), labelled_rows(bars, "flow")
    for a, b in zip(early, late, strict=True):
        assert a.tobytes() == b[: len(a)].tobytes()
    assert (late.ts[len(early.ts) :] > bars["ts_open"][n - 1]).all()


@SETS
def test_the_newest_row_is_the_one_that_the_next_bar_labels(name):
    bars = random_bars(120, flat=0.0)
    row = newest_row(bars[:-1], name)
    assert row.shape == (1, len(COLUMNS[name]))
    assert row[0].tobytes() == labelled_rows(bars, name).x[-1].tobytes()
    assert newest_row(bars[-WARMUP_BARS - 2 : -1], name).tobytes() == row.tobytes()


@pytest.mark.parametrize(
    "at, silent", [(-1, True), (-WARMUP_BARS, True), (-WARMUP_BARS - 2, False)]
)
def test_there_is_no_newest_row_with_a_gap_among_its_bars(at, silent):
    bars = random_bars(120)
    bars["gap"][at] = 1
    assert (newest_row(bars, "flow") is None) == silent


def test_a_gap_before_the_first_bar_of_a_row_does_not_silence_it():
    bars = random_bars(120)
    bars["gap"][-WARMUP_BARS - 1] = (
        1  # between that bar and the one before: no return reaches there
    )
    assert newest_row(bars, "flow") is not None


def test_there_is_no_newest_row_in_the_warm_up():
    bars = random_bars(WARMUP_BARS + 1)
    assert newest_row(bars[1:], "flow") is None
    assert newest_row(bars, "flow") is not None


def test_too_few_bars_say_how_many_there_are_and_how_many_it_takes():
    labelled_rows(random_bars(ROW_BARS), "flow")
    with pytest.raises(NotEnoughBarsError, match=r"^warming up 50/51 bars$"):
        labelled_rows(random_bars(ROW_BARS - 1), "flow")


def test_a_market_that_stands_still_has_no_rows():
    rows = labelled_rows(bars_from(np.full(99, 7.0)), "flow")
    assert rows.x.shape == (0, 8)
    assert len(rows.up) == len(rows.ts) == 0

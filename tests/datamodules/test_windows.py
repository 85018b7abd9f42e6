from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.scaling import HIGHEST, LOWEST, fit_scaler, scale
from datamodules.windows import WINDOW_BARS, gap_free, make_windows
from tests.datamodules.samples import gaps_of

N = 150


def rows_like(close):
    """Feature rows whose first column tells which row it is."""
    rows = np.zeros((len(close), 8), np.float32)
    rows[:, 0] = np.arange(len(close))
    return rows


def by_loop(close, gap):
    """(first row, up, flat) of each window, one at a time."""
    found = []
    for i in range(len(close) - WINDOW_BARS):
        if not any(gap[i : i + WINDOW_BARS + 1]):
            last, after = close[i + WINDOW_BARS - 1], close[i + WINDOW_BARS]
            found.append((i, float(after > last), after == last))
    return found


@settings(deadline=None, max_examples=40)
@given(gaps=gaps_of(N), closes=st.lists(st.integers(1, 3), min_size=N, max_size=N))
def test_windows_and_labels_agree_with_a_loop_wherever_the_gaps_are(gaps, closes):
    close, gap = np.array(closes, float), np.zeros(N, int)
    gap[gaps] = 1
    windows = make_windows(rows_like(close), close, gap)
    wanted = by_loop(closes, gap)
    found = zip(windows.x[:, 0, 0], windows.up, windows.flat, strict=True)
    assert [(int(i), float(up), bool(flat)) for i, up, flat in found] == wanted
    for x in windows.x:
        assert (np.diff(x[:, 0]) == 1).all()  # consecutive rows
    assert windows.at.tolist() == windows.x[:, -1, 0].tolist()


def test_labels_are_as_computed_by_hand():
    close = np.full(64, 5.0)
    close[60:] = [6, 6, 4, 5]
    windows = make_windows(rows_like(close), close, np.zeros(64, int))
    assert windows.up.tolist() == [1, 0, 0, 1]
    assert windows.flat.tolist() == [False, True, False, False]


def test_the_label_is_the_row_after_the_window_and_no_window_lacks_one():
    close = np.arange(61.0)
    windows = make_windows(rows_like(close), close, np.zeros(61, int))
    assert windows.x.shape == (1, WINDOW_BARS, 8)
    assert windows.x[0, -1, 0] == 59
    assert windows.at.tolist() == [59]
    assert windows.up.tolist() == [1]


@pytest.mark.parametrize("at, left", [(0, 89), (60, 29), (75, 29), (149, 89)])
def test_a_gap_takes_out_each_window_that_contains_it_or_has_its_label_there(at, left):
    gap = np.zeros(N, int)
    gap[at] = 1
    windows = make_windows(rows_like(np.ones(N)), np.ones(N), gap)
    held = set(windows.x[:, :, 0].ravel().astype(int))
    assert at not in held
    assert len(windows.x) == len(by_loop(np.ones(N), gap)) == left


def test_windows_without_a_gap_are_views_of_the_rows():
    rows = rows_like(np.ones(N))
    assert np.shares_memory(make_windows(rows, np.ones(N), np.zeros(N, int)).x, rows)


def test_gaps_everywhere_leave_no_window():
    windows = make_windows(rows_like(np.ones(N)), np.ones(N), np.ones(N, int))
    assert windows.x.shape == (0, WINDOW_BARS, 8)
    assert len(windows.up) == len(windows.flat) == len(windows.at) == 0


def test_too_few_rows_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="more than 60 rows, got 60"):
        make_windows(rows_like(np.ones(60)), np.ones(60), np.zeros(60, int))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 30))
def test_gap_free_agrees_with_looking_at_each_run(gap, length):
    length = min(length, len(gap))
    wanted = [not any(gap[i : i + length]) for i in range(len(gap) - length + 1)]
    assert gap_free(np.array(gap, int), length).tolist() == wanted


def test_the_scaler_is_fitted_on_the_given_rows_alone():
    rng = np.random.default_rng(0)
    past, later = rng.normal(size=(90, 8)), 100 + rng.normal(size=(30, 8))
    scaler = fit_scaler(past)
    assert scaler.data_min_.tolist() == past.min(axis=0).tolist()
    assert scaler.data_max_.tolist() == past.max(axis=0).tolist()
    before = scaler.scale_.copy()
    scale(later, scaler)
    assert scaler.scale_.tobytes() == before.tobytes()


def test_scaled_rows_are_those_of_scikit_learn_within_the_range_and_clipped_far_out():
    rng = np.random.default_rng(1)
    past = rng.normal(size=(90, 8))
    scaler = fit_scaler(past)
    inside = scale(past, scaler)
    assert inside.dtype == np.float32
    np.testing.assert_allclose(inside, scaler.transform(past), atol=1e-6)
    assert inside.min() >= -1e-6
    assert inside.max() <= 1 + 1e-6
    far = scale(np.vstack([past.min(0) - 1000, past.max(0) + 1000]), scaler)
    assert far[0].tolist() == [LOWEST] * 8
    assert far[1].tolist() == [HIGHEST] * 8


def test_a_column_that_never_changed_scales_to_a_finite_value():
    still = np.full((70, 8), 7.0)
    assert np.isfinite(scale(still, fit_scaler(still))).all()

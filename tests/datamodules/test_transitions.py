from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from datamodules.features import COLUMNS, WARMUP_BARS, features_of
from datamodules.mids import mids
from datamodules.transitions import STATE_BARS, STATE_COLUMNS, make_transitions, state_rows
from tests.datamodules.samples import bars_from, gaps_of, markets, random_bars

N = 110


def by_loop(bars):
    """(state and next state, return, time) of each transition, one at a time."""
    mid = mids(bars)
    rows = features_of(bars, "classic")[
        :, [COLUMNS["classic"].index(name) for name in STATE_COLUMNS]
    ]
    found = []
    for i in range(1, len(rows) - STATE_BARS):  # the oldest is left out by the product's definition
        first, last = WARMUP_BARS + i, WARMUP_BARS + i + STATE_BARS
        if bars["gap"][first : last + 1].any():
            continue
        before, after = mid[last - 1], mid[last]
        window = rows[i : i + STATE_BARS + 1]
        found.append((window.tolist(), 1e4 * (after / before - 1), int(bars["ts_open"][last])))
    return found


@settings(deadline=None)
@given(gaps=gaps_of(N))
def test_transitions_agree_with_a_loop_wherever_the_gaps_are(gaps):
    bars = random_bars(N)
    bars["gap"][gaps] = 1
    made = make_transitions(bars)
    found = zip(made.rows.tolist(), made.ret.tolist(), made.ts.tolist(), strict=True)
    assert list(found) == by_loop(bars)


@settings(deadline=None, max_examples=30)
@given(bars=markets(low=70, high=90))
def test_transitions_of_the_first_bars_are_the_first_of_all(bars):
    every = make_transitions(bars)
    for t in range(62, len(bars) + 1):
        early = make_transitions(bars[:t])
        assert early.rows.tobytes() == every.rows[: len(early.rows)].tobytes()
        assert early.ret.tobytes() == every.ret[: len(early.ret)].tobytes()


def test_the_return_is_that_of_the_bar_after_the_state():
    close = np.full(61, 100.0)
    close[60:] = 101.0
    made = make_transitions(bars_from(close))
    assert made.ret == pytest.approx([100.0])  # bp
    assert made.rows[0, :-1, 0].tolist() == [100.0] * 10
    assert made.rows[0, -1, 0] == 101.0
    assert made.ts.tolist() == [int(bars_from(close)["ts_open"][60])]


def test_a_bounce_between_bid_and_ask_is_no_return():
    bars = bars_from(np.where(np.arange(90) % 2 == 0, 99.0, 101.0))
    bars["last_sold"], bars["last_bought"] = 99.0, 101.0
    made = make_transitions(bars)
    assert np.abs(np.diff(made.rows[:, -1, 0])).min() == 2.0  # the state shows closes
    assert np.abs(made.ret).max() < 3.0  # bp, of 200: the spread is relative to either close


def test_a_state_is_close_volume_and_the_rsi_of_the_features():
    bars = random_bars(90)
    rows = features_of(bars, "classic")
    columns = [COLUMNS["classic"].index(name) for name in STATE_COLUMNS]
    assert state_rows(bars).tobytes() == np.ascontiguousarray(rows[:, columns]).tobytes()


def test_gaps_everywhere_leave_no_transition():
    made = make_transitions(bars_from(np.arange(1.0, 101), gaps=range(100)))
    assert made.rows.shape == (0, 11, 3)
    assert len(made.ret) == len(made.ts) == 0


def test_too_few_bars_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="more than 60 bars, got 60"):
        make_transitions(random_bars(60))

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.mids import (
    BP,
    SPREAD_BARS,
    close_side,
    half_spread_bps,
    mids,
    newest_half_spread_bps,
)
from streaming.exchange.markets.market import SIGMA
from tests.datamodules.samples import bars_from, markets, random_bars
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Martingale

N = 40_000
ERROR = 4 / math.sqrt(N)  # 4 standard errors of a correlation


def bouncing(half_spread, n=N):
    """A martingale's returns and its bars, which close at bid or ask by a toss-up."""
    returns = Martingale().draw(np.random.default_rng(0), n).returns
    return returns, bars_of_path(np.random.default_rng(1), returns, half_spread=half_spread)


def quoted(bars, seed=0):
    """Give ``bars`` bids and asks that move about the close, crossed ones among them."""
    rng = np.random.default_rng(seed)
    bars = bars.copy()
    bars["last_sold"] = bars["close"] * (1 - 1e-4 * rng.integers(-1, 4, len(bars)))
    bars["last_bought"] = bars["close"] * (1 + 1e-4 * rng.integers(-1, 4, len(bars)))
    return bars


def lag_1(moves):
    return np.corrcoef(moves[1:], moves[:-1])[0, 1]


@pytest.mark.parametrize("c", [0.5, 1.0, 2.0])
def test_mids_do_not_bounce_where_closes_do(c):
    returns, bars = bouncing(c)
    of_closes, of_mids = (np.diff(np.log(x)) / SIGMA for x in (bars["close"], mids(bars)))
    assert of_closes.var() == pytest.approx(1 + 2 * c**2, rel=3 * ERROR)
    assert lag_1(of_closes) == pytest.approx(-(c**2) / (1 + 2 * c**2), abs=ERROR)
    assert of_mids.var() == pytest.approx(1, rel=3 * ERROR)
    assert abs(lag_1(of_mids)) < ERROR
    np.testing.assert_allclose(of_mids, returns[1:], atol=1e-3)


@pytest.mark.parametrize("c", [0.5, 1.0, 2.0])
def test_the_half_spread_is_found_in_each_bar(c):
    _, bars = bouncing(c, 500)
    assert half_spread_bps(bars) == pytest.approx(c * SIGMA * BP, rel=1e-3)


def test_without_a_spread_the_mid_is_the_close():
    bars = random_bars(200)
    assert mids(bars).tolist() == bars["close"].tolist()
    assert not half_spread_bps(bars).any()
    assert not close_side(bars).any()


def test_sides_spreads_and_mids_by_hand():
    bars = bars_from([100.0, 101.0, 100.0, 100.5])
    bars["last_sold"] = [100.0, 100.0, 100.0, 100.0]
    bars["last_bought"] = [102.0, 101.0, 101.0, 101.0]
    assert close_side(bars).tolist() == [-1, 1, -1, 0]
    spreads = [2 / 100 * BP, 1 / 101 * BP, 1 / 100 * BP, 1 / 100.5 * BP]
    medians = [np.median(spreads[: i + 1]) for i in range(4)]
    halves = [median / 2 for median in medians]
    assert half_spread_bps(bars) == pytest.approx(halves)
    wanted = [100 * (1 + halves[0] / BP), 101 * (1 - halves[1] / BP),
              100 * (1 + halves[2] / BP), 100.5]  # fmt: skip
    assert mids(bars) == pytest.approx(wanted)


def test_one_stale_quote_does_not_move_the_half_spread():
    _, bars = bouncing(1.0, 100)
    bars["last_sold"][50] *= 0.9
    assert half_spread_bps(bars) == pytest.approx(SIGMA * BP, rel=1e-3)


def test_a_wider_market_is_known_when_half_of_the_bars_have_it():
    bars = bars_from(np.full(200, 100.0))
    bars["last_bought"] = np.where(np.arange(200) < 100, 100.02, 100.04)
    found = half_spread_bps(bars)
    assert found[99] == pytest.approx(1)
    assert found[100 + SPREAD_BARS // 2 - 2] == pytest.approx(1)
    assert found[100 + SPREAD_BARS // 2] == pytest.approx(2)


def test_where_there_is_a_quote_mid_and_spread_are_its_own():
    bars = bars_from(np.full(5, 100.0))
    bars["bid"], bars["ask"], bars["quoted"] = 99.0, 103.0, [0, 0, 1, 1, 1]
    assert mids(bars).tolist() == [100, 100, 101, 101, 101]
    assert half_spread_bps(bars).tolist() == [0, 0, 200, 200, 200]


def test_quotes_that_cross_count_as_no_spread():
    bars = bars_from(np.full(5, 100.0))
    bars["last_sold"], bars["last_bought"] = 101.0, 99.0
    assert not half_spread_bps(bars).any()
    assert mids(bars).tolist() == [100.0] * 5


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 200), more=st.integers(1, 80), seed=st.integers(0, 999))
def test_later_bars_change_nothing(n, more, seed):
    bars = quoted(random_bars(n + more, seed), seed)
    for known in (close_side, half_spread_bps, mids):
        assert known(bars[:n]).tobytes() == known(bars)[:n].tobytes()


@given(bars=markets(1, 130), seed=st.integers(0, 99), quotes=st.booleans())
def test_the_newest_half_spread_is_the_last_of_all_to_the_bit(bars, seed, quotes):
    bars = quoted(bars, seed)
    if quotes:
        bars["quoted"] = np.random.default_rng(seed).integers(0, 2, len(bars))
        bars["bid"], bars["ask"] = bars["last_sold"], bars["last_bought"]
    assert newest_half_spread_bps(bars).tobytes() == half_spread_bps(bars)[-1:].tobytes()

"""One wrong print, and what it must not rule: a broken bar counts as a gap, and further."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.cnn_datamodule import CNNDataModule
from datamodules.features import COLUMNS, WARMUP_BARS, features_of
from datamodules.labelled_rows import labelled_rows
from datamodules.mids import half_spread_bps, mids
from datamodules.transitions import make_transitions
from datamodules.windows import gaps_of
from streaming.bars import BROKEN, MISSING, bars_of
from streaming.ticks import NS_PER_S, make_ticks
from tests.datamodules.samples import START, snapshot_of

SECONDS, A_SECOND = 400, 3


def ticks_of(seed=0, seconds=SECONDS):
    """A random walk by hundredths, three trades a second, both sides."""
    n = seconds * A_SECOND
    rng = np.random.default_rng(seed)
    ticks = make_ticks(n)
    ticks["id"] = np.arange(n)
    second, of_second = np.divmod(np.arange(n), A_SECOND)
    ticks["ts_event"] = START + second * NS_PER_S + of_second * (NS_PER_S // A_SECOND)
    ticks["price"] = 100 + np.cumsum(rng.integers(-1, 2, n)) / 100
    ticks["size"] = rng.uniform(0.1, 2, n)
    ticks["side"] = rng.choice([-1, 1], n)
    return ticks


def bars_with(factor, at=200 * A_SECOND + 1):
    """Bars of that walk with one trade at so many times its price."""
    ticks = ticks_of()
    ticks["price"][at] *= factor
    return bars_of(ticks)


SOUND = bars_with(1.0)
FLASHES = pytest.mark.parametrize("factor", [3500.0, 1e9, 2.3, 0.4, 1e-9])
WHERE = pytest.mark.parametrize("place", range(A_SECOND))  # first, in the middle, the bar's close


@FLASHES
@WHERE
def test_a_wrong_print_breaks_its_bar_and_the_one_that_comes_back_from_it(factor, place):
    bars = bars_with(factor, 200 * A_SECOND + place)
    broken = np.flatnonzero(bars["gap"]).tolist()
    assert broken == ([200, 201] if place == A_SECOND - 1 else [200])
    assert (bars["gap"][broken] == BROKEN).all()


def test_the_first_trade_of_all_may_be_the_wrong_one():
    ticks = ticks_of()
    ticks["price"][0] *= 1000
    assert np.flatnonzero(bars_of(ticks)["gap"]).tolist() == [0]
    ticks["price"][:A_SECOND] *= 1000
    assert np.flatnonzero(bars_of(ticks)["gap"]).tolist() == [0, 1]


def test_what_was_traded_stays_as_it_was():
    bars = bars_with(3500.0)
    assert bars["high"][200] > 300_000
    for name in ("open", "close", "volume", "trades", "signed_volume"):
        assert (bars[name] == SOUND[name]).all()


@pytest.mark.parametrize("factor", [1.9, 0.55])
def test_a_crash_that_a_market_can_make_is_no_wrong_print(factor):
    ticks = ticks_of()
    ticks["price"][600:] *= factor
    assert not bars_of(ticks)["gap"].any()


def test_a_market_one_price_step_high_moves_by_its_steps():
    ticks = ticks_of()
    ticks["price"] = np.random.default_rng(1).choice([1e-8, 2e-8], len(ticks))
    assert not bars_of(ticks)["gap"].any()


def test_a_new_level_breaks_one_bar_and_is_followed():
    ticks = ticks_of()
    ticks["price"][200 * A_SECOND :] *= 100
    bars = bars_of(ticks)
    assert np.flatnonzero(bars["gap"]).tolist() == [200]
    assert bars["close"][-1] > 5000


def test_missing_trades_and_a_wrong_print_are_told_apart():
    ticks = ticks_of()
    ticks["price"][601] *= 3500
    ticks["flags"][601] |= 2  # AFTER_GAP
    assert bars_of(ticks)["gap"][200] == MISSING | BROKEN


@FLASHES
@WHERE
def test_it_rules_neither_mids_nor_spreads(factor, place):
    bars = bars_with(factor, 200 * A_SECOND + place)
    assert half_spread_bps(bars).max() < 5
    apart = np.abs(mids(bars) / mids(SOUND) - 1)
    assert (np.delete(apart, np.flatnonzero(bars["gap"])) < 1e-3).all()


def test_a_wrong_quote_does_not_last_in_a_market_where_one_side_is_rare():
    ticks = ticks_of()
    ticks["side"] = 1
    ticks["side"][[0, 600]] = -1
    ticks["price"][600] *= 1e-3
    assert half_spread_bps(bars_of(ticks))[201:].max() < 50


@FLASHES
@WHERE
def test_it_is_in_no_experience_of_the_replay_memory(factor, place):
    found = make_transitions(bars_with(factor, 200 * A_SECOND + place))
    whole = make_transitions(SOUND)
    assert np.abs(found.ret).max() < 10  # bp
    assert (found.rows[:, :, 0] > 50).all()
    assert (found.rows[:, :, 0] < 200).all()
    same = np.isin(whole.ts, found.ts)
    assert np.allclose(found.ret, whole.ret[same], atol=5)
    assert len(found.ret) >= len(whole.ret) - 40


@FLASHES
@WHERE
@pytest.mark.parametrize("features", COLUMNS)
def test_it_presses_no_feature_of_the_cnn_together(factor, place, features):
    bars = bars_with(factor, 200 * A_SECOND + place)
    drawn = {"features": features, "updates": 2, "batch_size": 8}
    ours, sound = (
        CNNDataModule(snapshot_of(each), **drawn, rng=np.random.default_rng(1))
        for each in (bars, SOUND)
    )
    x = ours.windows.x[:, -1]
    assert len(x) > 150
    usual = np.ptp(sound.windows.x[:, -1], axis=0)
    assert (np.ptp(x, axis=0)[usual > 0] > 0.3 * usual[usual > 0]).all()
    near = np.flatnonzero(bars["gap"])
    rows = ours.windows.at[:, None] - np.arange(60)  # of each window
    for row in near - WARMUP_BARS:
        assert not ((rows >= row) & (rows <= row + WARMUP_BARS)).any()


@FLASHES
def test_no_row_of_the_logistic_baselines_reaches_back_to_it(factor):
    bars = bars_with(factor)
    near = bars["ts_open"][200]
    ts = labelled_rows(bars, "flow").ts
    assert not ((ts >= near) & (ts <= near + (WARMUP_BARS + 1) * NS_PER_S)).any()
    assert len(ts) > 100


@given(st.lists(st.sampled_from([0, 0, 0, 0, MISSING, BROKEN]), max_size=40), st.integers(0, 12))
def test_a_broken_bar_counts_at_all_bars_that_look_back_on_it(flags, reach):
    bars = np.zeros(len(flags), SOUND.dtype)
    bars["gap"] = flags
    found = gaps_of(bars, reach)
    for i, own in enumerate(flags):
        assert bool(found[i] & BROKEN) == (BROKEN in flags[max(0, i - reach) : i + 1])
        assert found[i] & MISSING == own & MISSING


# ---- nothing depends on the price's unit


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([1e-18, 1e-13, 1e-8, 1e-2, 1e3, 1e12]), st.integers(0, 9))
def test_no_feature_depends_on_the_unit_of_the_price(unit, seed):
    ticks = ticks_of(seed, 130)
    scaled = ticks.copy()
    scaled["price"] *= unit
    ours, sound = bars_of(scaled), bars_of(ticks)
    assert np.allclose(features_of(ours, "flow"), features_of(sound, "flow"), atol=1e-4)
    rsi = COLUMNS["classic"].index("rsi_14")
    columns = (features_of(each, "classic")[:, rsi] for each in (ours, sound))
    assert np.allclose(*columns, atol=1e-3)
    returns = [make_transitions(each).ret for each in (ours, sound)]
    assert np.allclose(*returns, atol=1e-6)
    drawn = {"features": "classic", "updates": 1, "batch_size": 4}
    rows = [
        CNNDataModule(snapshot_of(each), **drawn, rng=np.random.default_rng(1)).rows
        for each in (ours, sound)
    ]
    assert np.allclose(*rows, atol=1e-3)

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.features import (
    COLUMNS,
    RAW_COLUMNS,
    WARMUP_BARS,
    features_of,
    make_features,
    raw_columns,
)
from datamodules.indicators import change, rsi, sma
from streaming.bars import bars_of
from streaming.ticks import LEAST, MOST, NS_PER_S, faults, make_ticks
from tests.datamodules.samples import bars_from, markets, random_bars

SETS = pytest.mark.parametrize("name", COLUMNS)


def quoted(bars, seed=0, *, spread=1e-4):
    """Give ``bars`` trades of both sides and quotes up to ``spread`` away, with a book.

    Each closes at its last sale, its last purchase, or between.
    """
    rng = np.random.default_rng(seed)
    bars = bars.copy()
    for sold, bought in (("last_sold", "last_bought"), ("bid", "ask")):
        bars[sold] = bars["close"] * (1 - spread * rng.random(len(bars)))
        bars[bought] = bars["close"] * (1 + spread * rng.random(len(bars)))
    side = rng.choice([-1, 0, 1], len(bars), p=[0.4, 0.2, 0.4])
    bars["last_sold"][side < 0] = bars["close"][side < 0]
    bars["last_bought"][side > 0] = bars["close"][side > 0]
    bars["bid_size"], bars["ask_size"] = rng.exponential(size=(2, len(bars)))
    bars["ofi"], bars["updates"], bars["quoted"] = rng.normal(size=len(bars)), 3, 1
    return bars


@st.composite
def quoted_markets(draw, **sizes):
    spread = draw(st.sampled_from([0.0, 1e-6, 1e-2]))
    return quoted(draw(markets(**sizes)), draw(st.integers(0, 99)), spread=spread)


@SETS
@settings(deadline=None, max_examples=20)
@given(bars=quoted_markets())
def test_features_of_the_first_bars_are_the_first_features_of_all_bars(name, bars):
    rows = features_of(bars, name)
    for t in range(WARMUP_BARS + 1, len(bars) + 1):
        early = features_of(bars[:t], name)
        assert early.tobytes() == rows[: t - WARMUP_BARS].tobytes(), t


@SETS
@settings(deadline=None, max_examples=40)
@given(bars=quoted_markets(high=160), data=st.data())
def test_a_row_depends_on_its_bar_and_the_49_before_it_alone(name, bars, data):
    rows = features_of(bars, name)
    i = data.draw(st.integers(0, len(rows) - 1))
    assert features_of(bars[i : i + WARMUP_BARS + 1], name).tobytes() == rows[i].tobytes()


@SETS
@settings(deadline=None, max_examples=40)
@given(bars=quoted_markets(high=160))
def test_torch_gives_the_bits_that_numpy_gives(name, bars):
    raw = raw_columns(bars)
    in_torch = make_features(torch.from_numpy(raw), name, torch)
    assert in_torch.numpy().tobytes() == make_features(raw, name).tobytes()


@SETS
@settings(deadline=None, max_examples=40)
@given(bars=quoted_markets(low=60), size=st.integers(1, 5))
def test_a_batch_gives_the_bits_of_its_single_series(name, bars, size):
    raw = raw_columns(bars)
    t = len(raw) - size + 1
    batch = np.stack([raw[i : i + t] for i in range(size)])  # (B, T, 16)
    singly = np.stack([make_features(series, name) for series in batch])
    assert singly.shape == (size, t - WARMUP_BARS, len(COLUMNS[name]))
    assert make_features(batch, name).tobytes() == singly.tobytes()
    in_torch = make_features(torch.from_numpy(batch), name, torch)
    assert in_torch.numpy().tobytes() == singly.tobytes()


def test_classic_columns_are_prices_volume_and_pandas_indicators():
    bars = random_bars(400)
    frame = pd.DataFrame(features_of(bars, "classic"), columns=COLUMNS["classic"])
    for name in ("open", "high", "low", "close", "volume"):
        assert frame[name].tolist() == bars[name][WARMUP_BARS:].tolist()
    close = pd.Series(bars["close"])
    gain = close.diff().clip(lower=0).rolling(14).mean()
    loss = (-close.diff()).clip(lower=0).rolling(14).mean()
    wanted = {
        "sma_20": close.rolling(20).mean(),
        "sma_50": close.rolling(50).mean(),
        "rsi_14": 100 * gain / (gain + loss),
    }
    for name, series in wanted.items():
        np.testing.assert_allclose(frame[name], series[WARMUP_BARS:], rtol=1e-9)


def test_flow_columns_agree_with_pandas():
    bars = quoted(random_bars(400, flat=0.0))
    frame = pd.DataFrame(features_of(bars, "flow"), columns=COLUMNS["flow"])
    bar = pd.DataFrame({name: bars[name] for name in RAW_COLUMNS})
    close = bar["close"]
    returns = close.pct_change()
    unit = returns.abs().rolling(49).mean()
    wanted = {
        "return": returns / unit,
        "side": pd.Series(
            np.select([close == bar["last_bought"], close == bar["last_sold"]], [1.0, -1.0])
        ),
        "sold_gap": (bar["last_sold"] / close - 1) / unit,
        "bought_gap": (bar["last_bought"] / close - 1) / unit,
        "vwap_gap": (bar["notional"] / bar["volume"] / close - 1) / unit,
        "sma_20_gap": (close / close.rolling(20).mean() - 1) / unit,
        "imbalance": bar["signed_volume"] / bar["volume"],
        "imbalance_10": bar["signed_volume"].rolling(10).sum() / bar["volume"].rolling(10).sum(),
    }
    assert list(wanted) == list(COLUMNS["flow"])
    assert set(frame["side"]) == {-1.0, 0.0, 1.0}
    for name, series in wanted.items():
        np.testing.assert_allclose(
            frame[name], series[WARMUP_BARS:], rtol=1e-3, atol=1e-6, err_msg=name
        )


def test_book_columns_agree_with_pandas():
    bars = quoted(random_bars(400, flat=0.0))
    frame = pd.DataFrame(features_of(bars, "book"), columns=COLUMNS["book"])
    bar = pd.DataFrame({name: bars[name] for name in RAW_COLUMNS})
    close, bid, ask = bar["close"], bar["bid"], bar["ask"]
    unit = close.pct_change().abs().rolling(49).mean()
    size = bar["bid_size"] + bar["ask_size"]
    mid, micro = (bid + ask) / 2, (bid * bar["ask_size"] + ask * bar["bid_size"]) / size
    usual = bar["ofi"].abs().rolling(49).mean()
    wanted = {
        "mid_gap": (mid / close - 1) / unit,
        "micro_gap": (micro - mid) / close / unit,
        "spread": (ask - bid) / close / unit,
        "book_imbalance": (bar["bid_size"] - bar["ask_size"]) / size,
        "ofi": bar["ofi"] / usual,
        "ofi_10": bar["ofi"].rolling(10).mean() / usual,
    }
    assert list(COLUMNS["book"]) == [*COLUMNS["flow"], *wanted]
    for name, series in wanted.items():
        np.testing.assert_allclose(
            frame[name], series[WARMUP_BARS:], rtol=1e-3, atol=1e-6, err_msg=name
        )
    flow = pd.DataFrame(features_of(bars, "flow"), columns=COLUMNS["flow"])
    assert (frame[list(COLUMNS["flow"])] == flow).all(axis=None)


def test_without_a_quote_the_book_says_nothing():
    row = dict(zip(COLUMNS["book"], features_of(random_bars(90), "book")[-1], strict=True))
    assert not any(row[name] for name in ("micro_gap", "book_imbalance", "ofi", "ofi_10"))


def test_the_side_of_a_close_that_is_bid_and_ask_at_once_is_unknown():
    bars = bars_from(100 + np.arange(60) % 2)
    assert (bars["last_sold"] == bars["last_bought"]).all()
    assert not features_of(bars, "flow")[:, COLUMNS["flow"].index("side")].any()


def test_last_trades_of_both_sides_are_in_units_of_the_mean_absolute_return():
    bars = bars_from(np.where(np.arange(60) % 2, 101.0, 100.0))  # moves of about 1 % each
    bars["last_sold"], bars["last_bought"] = bars["close"] * 0.98, bars["close"] * 1.01
    row = dict(zip(COLUMNS["flow"], features_of(bars, "flow")[-1], strict=True))
    assert row["sold_gap"] == pytest.approx(-2, rel=0.01)
    assert row["bought_gap"] == pytest.approx(1, rel=0.01)


@given(length=st.integers(16, 50), n=st.integers(1, 64), seed=st.integers(0, 99))
def test_a_few_means_have_the_bits_of_the_last_of_many(length, n, seed):
    x = np.random.default_rng(seed).lognormal(0, 3, (2, 200))
    few = sma(x[:, -length - n + 1 :], length)
    assert few.tobytes() == sma(x, length)[:, -n:].tobytes()


def test_indicators_are_as_computed_by_hand():
    assert sma(np.array([1.0, 2.0, 6.0, 4.0]), 2).tolist() == [1.5, 4.0, 5.0]
    assert change(np.array([2.0, 3.0, 1.5])).tolist() == [0.5, -0.5]
    up_down = np.array([10.0, 13.0, 12.0])  # gained 3, lost 1
    assert rsi(up_down, 2) == pytest.approx([75.0])


@pytest.mark.parametrize("closes, wanted", [(range(1, 17), 100), (range(17, 1, -1), 0)])
def test_rsi_of_a_market_that_goes_one_way_is_at_the_end_of_its_scale(closes, wanted):
    assert rsi(np.array(closes, float)) == pytest.approx(wanted, abs=1e-9)


def test_rsi_of_a_still_market_is_one_half():
    assert rsi(np.full(20, 7.0)).tolist() == [50.0] * 6


@SETS
@pytest.mark.parametrize("close", [1e-8, 1.0, 1e6])
@pytest.mark.parametrize("volume", [0.0, 1e-8, 1e9])
def test_still_and_empty_bars_give_finite_features(name, close, volume):
    bars = bars_from(np.full(120, close), volume)
    assert np.isfinite(features_of(bars, name)).all()


@SETS
@settings(deadline=None, max_examples=40)
@given(bars=quoted_markets())
def test_features_are_finite(name, bars):
    assert np.isfinite(features_of(bars, name)).all()


@SETS
def test_a_single_move_after_stillness_stays_finite_and_an_empty_bar_is_neutral(name):
    bars = bars_from(np.r_[np.full(99, 100.0), 101.0], np.r_[np.ones(60), np.zeros(40)])
    rows = features_of(bars, name)
    assert np.isfinite(rows).all()
    if name == "flow":
        empty = dict(zip(COLUMNS["flow"], rows[-2], strict=True))
        assert empty["return"] == empty["side"] == empty["imbalance"] == 0
        assert empty["sold_gap"] == empty["bought_gap"] == 0
        assert empty["vwap_gap"] == pytest.approx(0, abs=1e-6)


@SETS
@pytest.mark.parametrize("n", [1, WARMUP_BARS])
def test_too_few_bars_are_refused_with_both_numbers(name, n):
    with pytest.raises(ValueError, match=f"more than 49 bars, got {n}"):
        features_of(random_bars(n), name)


def test_raw_columns_are_those_named():
    bars = random_bars(5)
    raw = raw_columns(bars)
    assert raw.shape == (5, len(RAW_COLUMNS))
    assert raw.dtype == np.float64
    for i, name in enumerate(RAW_COLUMNS):
        assert raw[:, i].tolist() == bars[name].tolist()


@given(st.sampled_from([LEAST, 1e-13, 1.0, MOST / 2]), st.sampled_from([LEAST, 1.0, MOST]))
def test_features_are_numbers_whatever_the_size_of_prices_and_trades(price, size):
    ticks = make_ticks(400)
    ticks["id"], ticks["size"] = np.arange(400), size
    ticks["ts_event"] = 1_700_000_000 * NS_PER_S + np.arange(400) * NS_PER_S // 4
    ticks["price"] = price * (1 + 1e-3 * (1 + np.sin(np.arange(400))))
    ticks["side"] = np.where(np.arange(400) % 3, 1, -1)
    assert not any(wrong.any() for _, wrong in faults(ticks, 2**62))
    with np.errstate(all="raise", under="ignore"):
        bars = bars_of(ticks)
        for kind in COLUMNS:
            assert np.isfinite(features_of(bars, kind)).all()

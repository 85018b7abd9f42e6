"""54,000 ticks -> bars -> features -> windows, against the pandas way of doing it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler

from benchmarks.market import ticks_of
from benchmarks.measuring import interleave, median, seconds
from benchmarks.table import Row
from datamodules.features import WARMUP_BARS, features_of
from datamodules.scaling import fit_scaler, scale
from datamodules.windows import WINDOW_BARS, make_windows
from streaming.bars import bars_of
from streaming.ticks import Ticks

N = 54_000
ROUNDS = 15

COLUMNS = ["open", "high", "low", "close", "volume", "sma_20", "sma_50", "rsi_14"]


class Learnable(NamedTuple):
    """What a network is trained on."""

    x: NDArray[np.float32]  # (N, 60, 8)
    up: NDArray[np.float32]  # (N,)


def ours(ticks: Ticks) -> Learnable:
    """Make the windows as a cycle of the CNN does, from the ticks on."""
    bars = bars_of(ticks)
    rows = features_of(bars, "classic")
    windows = make_windows(
        scale(rows, fit_scaler(rows)), bars["close"][WARMUP_BARS:], bars["gap"][WARMUP_BARS:]
    )
    return Learnable(windows.x, windows.up)


def features_by_pandas(trades: pd.DataFrame) -> pd.DataFrame:
    """Resample to seconds and add the indicators."""
    bars = trades["price"].resample("1s").ohlc()
    bars["volume"] = trades["size"].resample("1s").sum()
    bars["close"] = bars["close"].ffill()
    for name in ("open", "high", "low"):
        bars[name] = bars[name].fillna(bars["close"])
    bars["sma_20"] = bars["close"].rolling(20).mean()
    bars["sma_50"] = bars["close"].rolling(50).mean()
    change = bars["close"].diff()
    gain = change.clip(lower=0).rolling(14).mean()
    loss = (-change.clip(upper=0)).rolling(14).mean()
    bars["rsi_14"] = 100 - 100 / (1 + gain / loss)
    return bars.dropna()


def by_pandas(trades: pd.DataFrame) -> Learnable:
    """Resample, rolling means, and a window a time step."""
    bars = features_by_pandas(trades)
    scaled = MinMaxScaler().fit_transform(bars[COLUMNS])
    frame = pd.DataFrame(scaled, index=bars.index, columns=COLUMNS)
    x, up = [], []
    for i in range(len(frame) - WINDOW_BARS):
        x.append(frame.iloc[i : i + WINDOW_BARS].values)
        close, after = bars["close"].iloc[i + WINDOW_BARS - 1], bars["close"].iloc[i + WINDOW_BARS]
        up.append(float(after > close))
    return Learnable(np.array(x, np.float32), np.array(up, np.float32))


def by_arrays(trades: pd.DataFrame) -> Learnable:
    """Do the same as ``by_pandas``, but with the loop over plain arrays instead of frames."""
    bars = features_by_pandas(trades)
    scaled = MinMaxScaler().fit_transform(bars[COLUMNS])
    close = bars["close"].to_numpy()
    x, up = [], []
    for i in range(len(scaled) - WINDOW_BARS):
        x.append(scaled[i : i + WINDOW_BARS])
        up.append(float(close[i + WINDOW_BARS] > close[i + WINDOW_BARS - 1]))
    return Learnable(np.array(x, np.float32), np.array(up, np.float32))


def run() -> list[Row]:
    """Measure both, each from its own form of the same ticks; the results must agree."""
    ticks = ticks_of(N // 60)
    trades = pd.DataFrame(
        {"price": ticks["price"], "size": ticks["size"]}, index=pd.to_datetime(ticks["ts_event"])
    )
    mine = ours(ticks)
    rows = []
    for way, peer in (
        (by_pandas, "pandas resample/rolling, a window an iloc"),
        (by_arrays, "the same with the windows cut from arrays"),
    ):
        other = way(trades)
        np.testing.assert_allclose(other.x, mine.x, atol=1e-6)
        np.testing.assert_array_equal(other.up, mine.up)
        fast, slow = interleave(
            ROUNDS,
            lambda: seconds(lambda: ours(ticks)),
            lambda way=way: seconds(lambda: way(trades)),
        )
        rows.append((peer, N / median(fast), N / median(slow)))
    return [
        Row("ticks to windows", mine_rate, peer_rate, "ticks/s", ">=", 10, peer)
        for peer, mine_rate, peer_rate in rows
    ]

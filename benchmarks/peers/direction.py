"""Peers' forecasts of the next bar, test-then-train: river's online logistic, LightGBM.

    python benchmarks/peers/direction.py BARS.npy OUT.npz [COLUMNS.npy]

Runs in an environment of its own (river, lightgbm). Inputs are what those who use these libraries
take: lagged log returns, the bar's shape, volume, moving averages, RSI (``classic``), and with
them the takers' signed volume, trade count and VWAP (``flow``). LightGBM is fitted anew every
30 bars on the last 900, as FreqAI does; river learns from each bar when the next has closed.
With a third file, ``(T, F)``, both see its columns alone (``given``), LightGBM the whole past.
Writes ``(T,)`` probabilities a method, NaN where it gave none.
"""

import json
import sys
import warnings

import numpy as np
from boosting import boosted  # it stands beside this script
from river import compose, linear_model, optim, preprocessing

FIRST, START, STEP, HISTORY = 60, 200, 30, 900
NONE = 1e-12


def mean(x, length):
    """Return the moving average; the first ones count zeros before the start."""
    return np.convolve(x, np.full(length, 1 / length))[: len(x)]


def lags(x, n):
    """Return ``x`` and its ``n - 1`` lags."""
    return [np.concatenate([np.zeros(k), x[: len(x) - k]]) for k in range(n)]


def columns(bars):
    """Return the inputs ``(T, F)`` by name of the set."""
    close, volume, signed = bars["close"], bars["volume"], bars["signed_volume"]
    moved = np.diff(close, prepend=close[0])
    up, down = mean(moved.clip(0), 14), mean((-moved).clip(0), 14)
    classic = lags(np.diff(np.log(close), prepend=np.log(close[0])), 10)
    classic += [(bars[name] - close) / close for name in ("open", "high", "low")]
    classic += [close / mean(close, 20) - 1, close / mean(close, 50) - 1]
    classic += [np.log1p(volume), 100 * up / (up + down + NONE)]
    flow = lags(signed / (volume + NONE), 5)
    flow += [mean(signed, 10) / (mean(volume, 10) + NONE), np.log1p(bars["trades"])]
    vwap = np.where(volume > 0, bars["notional"] / np.maximum(volume, NONE), close)
    flow += [vwap / close - 1]
    return {"classic": np.stack(classic, 1), "flow": np.stack(classic + flow, 1)}


def river(x, label):
    """Return the forecasts of river's online logistic regression."""
    model = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(optim.SGD(0.01), l2=1e-4)
    )
    said = np.full(len(x), np.nan)
    for t in range(FIRST, len(x) - 1):
        row = dict(enumerate(x[t]))
        if t >= START:
            said[t] = model.predict_proba_one(row).get(True, 0.5)
        if label[t]:  # known when the next bar has closed, before the next forecast
            model.learn_one(row, bool(label[t] > 0))
    return said


def main(source, target, given=None):
    """Forecast the bars of a file."""
    warnings.filterwarnings("ignore")
    bars = np.load(source)
    label = np.append(np.sign(np.diff(bars["close"])), 0)
    history = None if given else HISTORY
    said = {}
    for name, x in ({"given": np.load(given)} if given else columns(bars)).items():
        said[f"river_{name}"] = river(x, label)
        said[f"boosted_{name}"] = boosted(
            x, label, first=FIRST, start=START, step=STEP, history=history
        )
    np.savez(target, **said)
    print(json.dumps({"methods": list(said)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

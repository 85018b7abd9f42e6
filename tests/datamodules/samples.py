"""Bars for tests: from closes, from a seed, and drawn by hypothesis; rows of a logistic law."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from datamodules.snapshot import Snapshot
from streaming.bars import BAR, Bars
from streaming.ticks import NS_PER_S

START = 1_700_000_000 * NS_PER_S  # a whole second


SIDES = ("bid", "ask", "last_sold", "last_bought")


def bars_from(close, volume=1.0, gaps=()) -> Bars:
    """Consecutive bars of these closes, each opening at the close before; ``gaps``: indices."""
    close = np.asarray(close, float)
    bars = np.zeros(len(close), BAR)
    bars["ts_open"] = START + np.arange(len(close)) * NS_PER_S
    bars["close"] = close
    bars["open"] = np.concatenate([close[:1], close[:-1]])
    bars["high"] = np.maximum(bars["open"], close)
    bars["low"] = np.minimum(bars["open"], close)
    for name in SIDES:
        bars[name] = close
    bars["volume"] = volume
    bars["notional"] = bars["volume"] * (bars["high"] + bars["low"]) / 2
    bars["trades"] = bars["volume"] > 0
    bars["gap"][list(gaps)] = 1
    bars["final_seq"] = np.arange(len(close)) + 2
    return bars


def random_bars(n: int, seed: int = 0, *, flat: float = 0.2) -> Bars:
    """A random walk; in a share ``flat`` of the bars nothing happens."""
    rng = np.random.default_rng(seed)
    still = rng.random(n) < flat
    steps = np.where(still, 0.0, np.round(rng.normal(size=n), 2))
    bars = bars_from(1000 + np.cumsum(steps), np.where(still, 0.0, rng.exponential(size=n)))
    bars["high"] += np.where(still, 0.0, 0.01)
    bars["trades"] = np.where(still, 0, rng.integers(1, 9, n))
    bars["signed_volume"] = bars["volume"] * rng.uniform(-1, 1, n)
    return bars


def snapshot_of(bars: Bars, *, cycle: int = 1, seed: int = 0) -> Snapshot:
    return Snapshot("BTCUSDT", cycle, bars, seed)


@st.composite
def markets(draw, low: int = 50, high: int = 100) -> Bars:
    """Random walks of many scales, still ones among them."""
    n, seed = draw(st.integers(low, high)), draw(st.integers(0, 2**32 - 1))
    bars = random_bars(n, seed, flat=draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])))
    scale = draw(st.sampled_from([1e-6, 1e-3, 1.0, 100.0]))
    for name in ("open", "high", "low", "close", *SIDES, "notional"):
        bars[name] *= scale
    return bars


def gaps_of(n: int, most: int = 6):
    """Positions of gaps in ``n`` bars."""
    return st.lists(st.integers(0, n - 1), max_size=most, unique=True)


def logistic(z):
    return 1 / (1 + np.exp(-z))


def drawn(n, d, seed, strength=1.0):
    """Standard normal rows and directions that are logistic in them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    up = rng.random(n) < logistic(strength * x @ rng.standard_normal(d) + 0.3)
    return x, up

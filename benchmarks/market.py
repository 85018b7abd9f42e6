"""A made-up market for the comparisons: ticks with drifts, bounces and uneven sizes."""

from __future__ import annotations

import numpy as np

from streaming.bars import Bars, bars_of
from streaming.ticks import NS_PER_S, Side, Ticks, make_ticks

START = 1_760_000_000 * NS_PER_S


def ticks_of(seconds: int, per_second: int = 60, seed: int = 0) -> Ticks:
    """Return ``(seconds * per_second,)`` ticks; at least one in every second."""
    rng = np.random.default_rng(seed)
    ticks = make_ticks(seconds * per_second)
    n = len(ticks)
    second = np.repeat(np.arange(seconds), per_second)
    within = np.sort(rng.integers(0, NS_PER_S, (seconds, per_second)), axis=1).ravel()
    ticks["id"] = np.arange(1, n + 1)
    ticks["ts_event"] = START + second * NS_PER_S + within
    ticks["ts_init"] = ticks["ts_event"] + 1_000_000
    ticks["side"] = np.where(rng.random(n) < 0.5, Side.BOUGHT, Side.SOLD)
    middle = 60_000 * np.exp(np.cumsum(rng.normal(0, 1e-5, n)))
    ticks["price"] = np.round(middle + 0.01 * ticks["side"], 2)
    ticks["size"] = np.round(rng.lognormal(-5, 1.5, n) + 1e-5, 5)
    return ticks


def bars_for(seconds: int, per_second: int = 10, seed: int = 0) -> Bars:
    """Return ``(seconds,)`` final bars."""
    return bars_of(ticks_of(seconds, per_second, seed))

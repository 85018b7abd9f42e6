"""Bars -> mid price and half-spread, estimated from trades alone. Pure, past only.

A trade prints at the bid or at the ask. Closes therefore bounce between the two while nothing has
moved, and a profit counted in closes is partly that bounce: count moves in mids, and pay the
half-spread. Source: R. Roll, A simple implicit measure of the effective bid-ask spread (1984).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streaming.bars import Bars

BP = 1e4  # basis points (bp) in 1

# Quotes seen in trades are older than the market: one pair may be far off, their median is not.
SPREAD_BARS = 60


def close_side(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)``: +1 where the close was bought at the ask, -1 sold at the bid, 0 unknown."""
    close, bid, ask = bars["close"], bars["bid"], bars["ask"]
    at_ask, at_bid = close == ask, close == bid
    side: NDArray[np.float64] = at_ask.astype(np.float64) - at_bid
    return side


def half_spread_bps(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)`` half the median spread of the last 60 bars, bp of the close."""
    spread = np.maximum(bars["ask"] - bars["bid"], 0) / bars["close"] * BP
    median = pd.Series(spread).rolling(SPREAD_BARS, min_periods=1).median().to_numpy()
    halved: NDArray[np.float64] = median / 2
    return halved


def mids(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)`` the close less the half-spread that its taker paid, quote currency."""
    mid: NDArray[np.float64] = bars["close"] * (1 - close_side(bars) * half_spread_bps(bars) / BP)
    return mid

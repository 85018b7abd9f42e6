"""Bars -> mid price and half-spread: of the quotes, or else estimated from trades. Pure, past only.

A trade prints at the bid or at the ask. Closes therefore bounce between the two while nothing has
moved, and a profit counted in closes is partly that bounce: count moves in mids, and pay the
half-spread. Source: R. Roll, A simple implicit measure of the effective bid-ask spread (1984).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.bars import Bars

BP = 1e4  # basis points (bp) in 1

# Quotes seen in trades are older than the market: one pair may be far off, their median is not.
SPREAD_BARS = 60


def close_side(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)``: +1 where the close was bought at the ask, -1 sold at the bid, 0 unknown."""
    close, sold, bought = bars["close"], bars["last_sold"], bars["last_bought"]
    at_ask, at_bid = close == bought, close == sold
    side: NDArray[np.float64] = at_ask.astype(np.float64) - at_bid
    return side


def half_spread_bps(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)`` half the spread, bp of the close: the quote's, or the median of 60 bars."""
    is_quoted = bars["quoted"] != 0
    spread: NDArray[np.float64] = (bars["ask"] - bars["bid"]) / bars["close"] * BP
    if not is_quoted.all():
        import pandas as pd  # noqa: PLC0415  (80 MB, which an actor of a fleet does without)

        traded = pd.Series(_traded_spread_bps(bars))
        median = traded.rolling(SPREAD_BARS, min_periods=1).median().to_numpy()
        spread = np.where(is_quoted, spread, median)
    return spread / 2


def newest_half_spread_bps(bars: Bars) -> NDArray[np.float64]:
    """Return the last of ``half_spread_bps``, ``(1,)``, in a tenth of its time."""
    if bars["quoted"][-1]:
        return half_spread_bps(bars[-1:])
    return np.median(_traded_spread_bps(bars[-SPREAD_BARS:]), keepdims=True) / 2


def mids(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T,)`` the mid at each bar's end, quote currency.

    It is the quote's, or else the close less the half-spread that its taker paid.
    """
    return mids_at(bars, half_spread_bps(bars))


def mids_at(bars: Bars, half_spread_bps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``mids``, given half the spread at each of the bars."""
    traded = bars["close"] * (1 - close_side(bars) * half_spread_bps / BP)
    mid: NDArray[np.float64] = np.where(
        bars["quoted"] != 0, (bars["bid"] + bars["ask"]) / 2, traded
    )
    return mid


def _traded_spread_bps(bars: Bars) -> NDArray[np.float64]:
    spread = np.maximum(bars["last_bought"] - bars["last_sold"], 0)
    bps: NDArray[np.float64] = spread / bars["close"] * BP
    return bps

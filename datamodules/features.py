"""Bars -> feature rows. Row ``i`` is known when bar ``i + WARMUP_BARS`` closes, and never changes.

    bars -> raw columns (T, 16) -> feature rows (T - 49, F)

``make_features`` runs on numpy arrays (training) and torch tensors (the exported model) and
gives both the same bits (tests/datamodules/test_features.py).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.indicators import TINY, change, lagged, rsi, sma
from streaming.bars import BAR, Bars

# Columns of a raw bar, which every exported model takes as its input.
RAW_COLUMNS = (
    "open", "high", "low", "close", "volume", "signed_volume", "notional", "trades", "last_sold",
    "last_bought", "bid", "ask", "bid_size", "ask_size", "ofi", "updates",
)  # fmt: skip

# The slowest indicator, SMA 50, needs 49 bars before its first value.
WARMUP_BARS = 49

FLOW = (
    "return",  # change of the close, in units of its mean absolute value over 49 bars
    "side",  # how the trade that made the close was taken: 1 bought, -1 sold, 0 unknown
    "sold_gap",  # the last price sold at against the close, in units of the mean absolute return
    "bought_gap",  # the last price bought at, likewise
    "vwap_gap",  # VWAP of the bar against its close, likewise
    "sma_20_gap",  # close against SMA 20, likewise
    "imbalance",  # taker buys less sells over volume, -1 to 1
    "imbalance_10",  # the same over 10 bars
)
BOOK = (
    "mid_gap",  # the mid of the quote against the close, in units of the mean absolute return
    "micro_gap",  # the micro-price against the mid, likewise
    "spread",  # ask less bid, likewise
    "book_imbalance",  # size at the bid less that at the ask, over both, -1 to 1
    "ofi",  # order-flow imbalance of the bar, in units of its mean absolute value over 49 bars
    "ofi_10",  # the same over 10 bars
)
COLUMNS = {
    "classic": ("open", "high", "low", "close", "volume", "sma_20", "sma_50", "rsi_14"),
    "flow": FLOW,
    "book": (*FLOW, *BOOK),
}

# How busy the market is: it moves no direction by itself, but tells which of the others to believe.
ACTIVITY = (
    "moved_10",  # share of the last 10 bars whose close moved
    "trades",  # number of trades, in units of its mean over 49 bars
    "volume",  # likewise
    "range",  # high less low, in units of the mean absolute return
    "return_10",  # mean absolute return over 10 bars, likewise
)

# Below this mean absolute return (0.0001 bp) a market counts as still.
STILL = 1e-8


# Every field of a bar has eight bytes, so that its columns are taken all at once.
_PLACES = np.array([(BAR.names or ()).index(name) for name in RAW_COLUMNS])
_INTEGERS = [(i, name) for i, name in enumerate(RAW_COLUMNS) if BAR[name].kind == "i"]


def raw_columns(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T, 16)`` float64, the columns ``RAW_COLUMNS`` of ``bars``."""
    words = np.ascontiguousarray(bars).view(np.float64).reshape(len(bars), len(BAR.names or ()))
    raw: NDArray[np.float64] = words[:, _PLACES]
    for i, name in _INTEGERS:
        raw[:, i] = bars[name]
    return raw


def make_features(raw: Any, name: str, xp: ModuleType = np) -> Any:
    """Build a feature set.

    Args:
        raw: ``(..., T, 16)`` float64, the columns ``RAW_COLUMNS``, as numpy array or torch tensor.
        name: a key of ``COLUMNS``.
        xp: the library of ``raw``, ``numpy`` or ``torch``.

    Returns:
        ``(..., T - 49, F)`` float64, F columns. Row ``i`` is known when bar ``i + 49`` closes.

    Raises:
        ValueError: if there are 49 bars or fewer.
    """
    if raw.shape[-2] <= WARMUP_BARS:
        raise ValueError(f"features need more than {WARMUP_BARS} bars, got {raw.shape[-2]}")
    columns = {column: raw[..., i] for i, column in enumerate(RAW_COLUMNS)}
    series = {"classic": _classic, "flow": _flow, "book": _book}[name](columns)
    n = raw.shape[-2] - WARMUP_BARS
    return xp.stack([lagged(values, 0, n) for values in series], -1)


def make_activity(raw: Any, xp: ModuleType = np) -> Any:
    """Build the columns ``ACTIVITY``.

    Args:
        raw: ``(..., T, 16)`` as for ``make_features``, T > 49.
        xp: the library of ``raw``, ``numpy`` or ``torch``.

    Returns:
        ``(..., T - 49, 5)`` float64; row ``i`` is known when bar ``i + 49`` closes.
    """
    bar = {column: raw[..., i] for i, column in enumerate(RAW_COLUMNS)}
    close = bar["close"]
    size, unit = abs(change(close)), _unit(close)
    one = (close / close)[..., 1:]  # comparisons take their float type from it
    n = unit.shape[-1]
    series = [
        sma((size > 0) * one, 10),
        *(
            lagged(bar[name], 0, n) / (lagged(sma(bar[name], WARMUP_BARS), 0, n) + TINY)
            for name in ("trades", "volume")
        ),
        lagged((bar["high"] - bar["low"]) / close, 0, n) / unit,
        lagged(sma(size, 10), 0, n) / unit,
    ]
    return xp.stack([lagged(values, 0, n) for values in series], -1)


def features_of(bars: Bars, name: str) -> NDArray[np.float64]:
    """Return the feature rows ``(T - 49, F)`` of ``bars``."""
    rows: NDArray[np.float64] = make_features(raw_columns(bars), name)
    return rows


def _classic(bar: dict[str, Any]) -> list[Any]:
    close = bar["close"]
    averages = [sma(close, 20), sma(close, 50), rsi(close, 14)]
    return [*(bar[name] for name in COLUMNS["classic"][:5]), *averages]


def _flow(bar: dict[str, Any]) -> list[Any]:
    close, volume, signed = bar["close"], bar["volume"], bar["signed_volume"]
    returns, unit = change(close), _unit(close)
    n = unit.shape[-1]
    one = close / close  # comparisons take their float type from it
    vwap = (bar["notional"] + TINY * close) / (volume + TINY)
    gaps = [
        bar["last_sold"] / close - 1.0,
        bar["last_bought"] / close - 1.0,
        vwap / close - 1.0,
        lagged(close, 0, n) / lagged(sma(close, 20), 0, n) - 1.0,
    ]
    return [
        lagged(returns, 0, n) / unit,
        (close == bar["last_bought"]) * one - (close == bar["last_sold"]) * one,
        *(lagged(gap, 0, n) / unit for gap in gaps),
        signed / (volume + TINY),
        sma(signed, 10) / (sma(volume, 10) + TINY),
    ]


def _book(bar: dict[str, Any]) -> list[Any]:
    """Where there is no quote, sizes and imbalances are 0, and so are their features.

    The micro-price is the mid weighted towards the side with less size, to which it moves next.
    Source: S. Stoikov, The micro-price, Quantitative Finance 18 (2018), eq. 3 (the weighted mid).
    """
    close, bid, ask, ofi = bar["close"], bar["bid"], bar["ask"], bar["ofi"]
    at_bid, at_ask = bar["bid_size"], bar["ask_size"]
    unit = _unit(close)
    n = unit.shape[-1]
    mid = (bid + ask) * 0.5
    tilt = (at_bid - at_ask) / (at_bid + at_ask + TINY)
    gaps = [mid / close - 1.0, tilt * (ask - bid) * 0.5 / close, (ask - bid) / close]
    usual = sma(abs(ofi), WARMUP_BARS) + TINY
    return [
        *_flow(bar),
        *(lagged(gap, 0, n) / unit for gap in gaps),
        tilt,
        lagged(ofi, 0, usual.shape[-1]) / usual,
        lagged(sma(ofi, 10), 0, usual.shape[-1]) / usual,
    ]


def _unit(close: Any) -> Any:
    """Return the mean absolute return of the last 49 bars."""
    return sma(abs(change(close)), WARMUP_BARS) + STILL

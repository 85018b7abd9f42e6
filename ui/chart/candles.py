"""Bars -> the candles of a chart, of any whole number of bars. Pure.

A row is ``[time, open, high, low, close, volume, sma_20, sma_50, gap, trades]``: time in unix
seconds, a multiple of the candle's length; prices in quote currency, volume in base currency; an
average is None until there are enough candles; gap has the flags of ``streaming.bars``: 1 trades
are missing, 2 a wrong print. Each average is taken over a fixed window of closes, so that a row has
the same values whenever it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.indicators import sma
from streaming.bars import Bars
from streaming.ticks import NS_PER_S

LENGTHS = (1, 5, 15, 60, 300)  # of a candle, s; at least a bar
AVERAGES = (20, 50)
WARMUP = max(AVERAGES) - 1  # candles that an average needs before the first one shown
CHARTED = 9  # the columns of a row that are charted: all but its trades

Row = list[Any]


class Candles(NamedTuple):
    """Candles, ``(T,)`` each, with the columns of bars."""

    time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    gap: NDArray[np.int64]
    trades: NDArray[np.int64]


def whole_bars(seconds: int, bar_seconds: int) -> int:
    """Return the least number of seconds, from ``seconds`` on, that whole bars take.

    >>> [whole_bars(seconds, 15) for seconds in (1, 15, 60, 50)]
    [15, 15, 60, 60]
    """
    return -(-seconds // bar_seconds) * bar_seconds


def candles_of(bars: Bars, seconds: int) -> Candles:
    """Return the candles of ``(T,)`` bars; the first and the last may lack bars.

    Args:
        bars: dtype ``BAR``, oldest first.
        seconds: the length of a candle, a multiple of a bar's.
    """
    at = bars["ts_open"] // NS_PER_S // seconds
    first = np.flatnonzero(np.diff(at, prepend=-1)) if len(at) else np.zeros(0, np.int64)
    last = np.append(first[1:], len(at))[: len(first)] - 1

    def folded(by: np.ufunc, name: str) -> NDArray[Any]:
        column: NDArray[Any] = bars[name]
        return by.reduceat(column, first) if len(first) and seconds > 1 else column

    return Candles(
        at[first] * seconds,
        bars["open"][first],
        folded(np.maximum, "high"),
        folded(np.minimum, "low"),
        bars["close"][last],
        folded(np.add, "volume"),
        folded(np.bitwise_or, "gap"),
        folded(np.add, "trades"),
    )


def rows_of(candles: Candles, before: Sequence[float] = ()) -> list[Row]:
    """Return the rows of candles.

    Args:
        candles: ``(T,)``.
        before: the closes of the candles before them, for the averages.
    """
    close = np.concatenate([np.asarray(before, np.float64), candles.close])
    columns: list[list[Any]] = [
        candles.time.tolist(),
        *(column.tolist() for column in candles[1:5]),
        [_short(volume) for volume in candles.volume.tolist()],
        *(_means(close, length)[len(before) :] for length in AVERAGES),
        candles.gap.tolist(),
        candles.trades.tolist(),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _means(close: NDArray[np.float64], window: int) -> list[float | None]:
    """Return the mean of each ``window`` closes at its last candle; None before the first."""
    missing: list[float | None] = [None] * min(len(close), window - 1)
    if len(close) < window:
        return missing
    return missing + [_short(mean) for mean in sma(close, window).tolist()]


def _short(value: float) -> float:
    """Round to ten significant digits: all that a chart can show, in half the bytes."""
    return float(f"{value:.10g}")

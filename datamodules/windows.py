"""Feature rows -> windows with the label that a later bar brings. Pure; no window crosses a gap.

Where there is no gap, window ``i`` is rows ``i`` to ``i + 59``; its label is known when row
``i + 59 + horizon`` is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.features import WARMUP_BARS
from datamodules.labels import moves_over
from streaming.bars import BROKEN, Bars

WINDOW_BARS = 60
FORECASTER_BARS = WARMUP_BARS + WINDOW_BARS  # raw bars of a forecast: warm-up of features, window


class Windows(NamedTuple):
    """Labelled windows.

    Attributes:
        x: ``(N, 60, F)`` float32, a view of the rows unless gaps cut windows out.
        up: ``(N,)`` float32, 1 where the price at the horizon is above the window's last, else 0.
        flat: ``(N,)`` bool, true where that price is the same: no model learns from these
            windows and none is scored on them.
        at: ``(N,)`` int64, the row that each window ends with.
    """

    x: NDArray[np.float32]
    up: NDArray[np.float32]
    flat: NDArray[np.bool]
    at: NDArray[np.int64]


def make_windows(
    rows: NDArray[np.float32],
    price: NDArray[np.float64],
    gap: NDArray[np.int64],
    horizon: int = 1,
) -> Windows:
    """Cut the windows of one symbol.

    Args:
        rows: ``(N, F)`` scaled features.
        price: ``(N,)`` the prices of the same bars whose moves are the labels.
        gap: ``(N,)`` gap flags, as ``gaps_of`` returns them; 0 where all is well.
        horizon: how many bars ahead the label is, >= 1.

    Returns:
        ``N - 59 - horizon`` windows, fewer where gaps cut some out.

    Raises:
        ValueError: if there are too few rows for a window and its label.
    """
    needed = WINDOW_BARS + horizon
    if len(rows) < needed:
        raise ValueError(f"windows need more than {needed - 1} rows, got {len(rows)}")
    views = np.lib.stride_tricks.sliding_window_view(rows[:-horizon], WINDOW_BARS, axis=0)
    x = views.transpose(0, 2, 1)  # (N, 60, F)
    moved = moves_over(price[WINDOW_BARS - 1 :], horizon)
    at = np.arange(WINDOW_BARS - 1, len(rows) - horizon)
    windows = Windows(x, (moved > 0).astype(np.float32), moved == 0, at)
    whole = gap_free(gap, needed)
    if whole.all():
        return windows
    return Windows(x[whole], windows.up[whole], windows.flat[whole], at[whole])


def gap_free(gap: NDArray[np.int64], length: int) -> NDArray[np.bool]:
    """Return which runs of ``length`` consecutive bars have no gap in or between them.

    Returns:
        ``(N - length + 1,)`` bool; ``[i]`` is about bars ``i`` to ``i + length - 1``.
    """
    before = np.concatenate([[0], np.cumsum(gap != 0)])
    free: NDArray[np.bool] = before[length:] == before[:-length]
    return free


def gaps_of(bars: Bars, reach: int) -> NDArray[np.int64]:
    """Return the gap flags of bars ``(T,)``, each broken bar also at the bars that look back on it.

    Missing trades spoil no average. A wrong print does, in every feature that reaches back to it.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.
        reach: how many bars a feature looks back.
    """
    gap: NDArray[np.int64] = bars["gap"]
    broken = (gap & BROKEN) != 0
    if not broken.any():
        return gap
    seen = np.concatenate([[0], np.cumsum(broken)])
    start = np.maximum(np.arange(len(bars)) - reach, 0)
    return gap | BROKEN * (seen[1:] > seen[start])

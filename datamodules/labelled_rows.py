"""Bars -> feature rows with a direction as label: what the logistic baselines learn from. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.features import COLUMNS, WARMUP_BARS, features_of
from datamodules.labels import CLOSE, label_prices
from datamodules.snapshot import NotEnoughBarsError
from datamodules.windows import gap_free
from streaming.bars import Bars

# Bars that one row and its label take.
ROW_BARS = WARMUP_BARS + 2


class LabelledRows(NamedTuple):
    """Rows whose price moved by the next bar, oldest first; none crosses a gap.

    Attributes:
        x: ``(N, F)`` float64 features.
        up: ``(N,)`` bool, whether the next bar's price is above the row's.
        ts: ``(N,)`` int64, open of the bar that brings the label, ns.
    """

    x: NDArray[np.float64]
    up: NDArray[np.bool]
    ts: NDArray[np.int64]


def labelled_rows(bars: Bars, features: str, label: str = CLOSE) -> LabelledRows:
    """Build the rows of one symbol.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.
        features: name of the feature set.
        label: the price whose next move is the label.

    Raises:
        NotEnoughBarsError: if there are fewer than 51 bars.
    """
    if len(bars) < ROW_BARS:
        raise NotEnoughBarsError(len(bars), ROW_BARS)
    moved = np.diff(label_prices(bars, label)[WARMUP_BARS:])
    there = (moved != 0) & gap_free(bars["gap"], ROW_BARS)
    rows = features_of(bars, features)[:-1]
    return LabelledRows(rows[there], moved[there] > 0, bars["ts_open"][WARMUP_BARS + 1 :][there])


def newest_row(bars: Bars, features: str) -> NDArray[np.float64] | None:
    """Return the newest bar's row ``(1, F)``; None during the warm-up or if its bars have a gap."""
    rows, _ = newest_rows(bars, features, 1)
    return rows if len(rows) else None


def newest_rows(bars: Bars, features: str, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rows of the newest ``n`` bars, without those in the warm-up or behind a gap.

    Returns:
        ``(k, F)`` the rows, and ``(k,)`` which of the ``n`` they are.
    """
    bars = bars[max(0, len(bars) - n - WARMUP_BARS) :]
    if len(bars) <= WARMUP_BARS:
        return np.zeros((0, len(COLUMNS[features]))), np.zeros(0, np.int64)
    whole = np.flatnonzero(gap_free(bars["gap"][1:], WARMUP_BARS))
    rows = features_of(bars, features)
    return rows[whole], whole + n - len(rows)

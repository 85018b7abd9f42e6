"""Bars -> feature rows with a direction as label: what learners of single rows learn from. Pure.

A label is known ``horizon`` bars after its row: rows whose label is not known yet are left out.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.features import COLUMNS, WARMUP_BARS, features_of
from datamodules.labels import label_prices, moves_over
from datamodules.snapshot import NotEnoughBarsError
from datamodules.target import CLOSE
from datamodules.windows import gap_free
from streaming.bars import BAR, Bars

# Bars that one row and the next bar, its label, take.
ROW_BARS = WARMUP_BARS + 2


class LabelledRows(NamedTuple):
    """Rows whose price moved by the horizon, oldest first; none crosses a gap.

    Attributes:
        x: ``(N, F)`` float64 features.
        up: ``(N,)`` bool, whether the price at the horizon is above the row's.
        ts: ``(N,)`` int64, open of the bar that brings the label, ns.
    """

    x: NDArray[np.float64]
    up: NDArray[np.bool]
    ts: NDArray[np.int64]


def labelled_rows(bars: Bars, features: str, label: str = CLOSE, horizon: int = 1) -> LabelledRows:
    """Build the rows of one symbol.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.
        features: name of the feature set.
        label: the price whose move is the label.
        horizon: how many bars ahead the label is, >= 1.

    Raises:
        NotEnoughBarsError: if there are fewer than 50 bars and the horizon.
    """
    needed = ROW_BARS - 1 + horizon
    if len(bars) < needed:
        raise NotEnoughBarsError(len(bars), needed)
    moved = moves_over(label_prices(bars, label)[WARMUP_BARS:], horizon)
    there = (moved != 0) & gap_free(bars["gap"], needed)
    rows = features_of(bars, features)[:-horizon]
    ts = bars["ts_open"][WARMUP_BARS + horizon :]
    return LabelledRows(rows[there], moved[there] > 0, ts[there])


def newest_rows(bars: Bars, features: str, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rows of the newest ``n`` bars, without those in the warm-up or behind a gap.

    Returns:
        ``(k, F)`` the rows, and ``(k,)`` which of the ``n`` they are.
    """
    bars = bars[max(0, len(bars) - n - WARMUP_BARS) :]
    if len(bars) <= WARMUP_BARS:
        return np.zeros((0, len(COLUMNS[features]))), np.zeros(0, np.int64)
    whole = np.flatnonzero(gap_free(bars["gap"][1:], WARMUP_BARS))
    rows = _newest(bars.tobytes(), features) if n == 1 else features_of(bars, features)
    return rows[whole], whole + n - len(rows)


@functools.lru_cache(maxsize=2)
def _newest(bars: bytes, features: str) -> NDArray[np.float64]:
    """Return ``features_of`` the bars: several learners of a market ask, one after the other."""
    return features_of(np.frombuffer(bars, BAR), features)

"""Bars -> the feature rows that have a direction as label: what small models learn from. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.features import WARMUP, features_of
from datamodules.snapshot import NotEnoughBarsError
from datamodules.windows import gap_free
from streaming.bars import Bars

# Bars of one row and its label.
ROW_BARS = WARMUP + 2


class LabelledRows(NamedTuple):
    """Rows whose next close moved, none across a gap; oldest first.

    Attributes:
        x: ``(N, F)`` float64 features.
        up: ``(N,)`` bool, whether the next close was above.
        ts: ``(N,)`` int64, open of the bar that brought the label, ns.
    """

    x: NDArray[np.float64]
    up: NDArray[np.bool]
    ts: NDArray[np.int64]


def labelled_rows(bars: Bars, features: str) -> LabelledRows:
    """Build the rows of one symbol.

    Raises:
        NotEnoughBarsError: if there are fewer than 51 bars.
    """
    if len(bars) < ROW_BARS:
        raise NotEnoughBarsError(len(bars), ROW_BARS)
    moved = np.diff(bars["close"][WARMUP:])
    there = (moved != 0) & gap_free(bars["gap"], ROW_BARS)
    rows = features_of(bars, features)[:-1]
    return LabelledRows(rows[there], moved[there] > 0, bars["ts_open"][WARMUP + 1 :][there])


def newest_row(bars: Bars, features: str) -> NDArray[np.float64] | None:
    """Return the row ``(1, F)`` of the newest bar; None in its warm-up or near a gap."""
    if len(bars) <= WARMUP or bars["gap"][-WARMUP:].any():
        return None
    return features_of(bars[-WARMUP - 1 :], features)

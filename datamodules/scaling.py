"""Feature rows -> rows in about 0 to 1. The scaler is fitted on the past only.

It is stored with every model version.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler

# The market leaves the range that the scaler was fitted on; a network must not see values far out.
LOWEST, HIGHEST = -1.0, 2.0

SCALED = 1.0  # the range of a fitted column


def fit_scaler(rows: NDArray[np.float64]) -> MinMaxScaler:
    """Return a scaler fitted on ``(N, F)`` rows, all known before the forecasts that use it."""
    scaler = MinMaxScaler().fit(rows)
    # scikit-learn takes a range below 2e-15 for none: a price may have such a range.
    small = (scaler.data_range_ > 0) & (scaler.scale_ * scaler.data_range_ < SCALED / 2)
    scaler.scale_[small] = SCALED / scaler.data_range_[small]
    scaler.min_[small] = -scaler.data_min_[small] * scaler.scale_[small]
    return scaler


def scale(rows: NDArray[np.float64], scaler: MinMaxScaler) -> NDArray[np.float32]:
    """Return ``(N, F)`` float32, 0 to 1 inside the fitted range, clipped to -1 and 2."""
    scaled = rows * scaler.scale_ + scaler.min_  # as MinMaxScaler.transform, without its checks
    clipped: NDArray[np.float32] = np.clip(scaled, LOWEST, HIGHEST).astype(np.float32)
    return clipped

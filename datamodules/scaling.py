"""Feature rows -> rows in about 0 to 1. Fitted on the past only; a part of the model version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler

# The market leaves the range it was fitted on; a network is not asked about what lies far out.
LOWEST, HIGHEST = -1.0, 2.0


def fit_scaler(rows: NDArray[np.float64]) -> MinMaxScaler:
    """Fit on ``(N, F)`` rows, all of them known when the forecasts that use it are made."""
    return MinMaxScaler().fit(rows)


def scale(rows: NDArray[np.float64], scaler: MinMaxScaler) -> NDArray[np.float32]:
    """Return ``(N, F)`` float32, 0 to 1 inside the fitted range, clipped to -1 and 2."""
    scaled = rows * scaler.scale_ + scaler.min_  # as MinMaxScaler.transform, without its checks
    clipped: NDArray[np.float32] = np.clip(scaled, LOWEST, HIGHEST).astype(np.float32)
    return clipped

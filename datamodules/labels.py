"""Which price a forecast is about: the next close, or the next mid. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.mids import mids
from streaming.bars import Bars

CLOSE, MID = "close", "mid"
LABELS = (CLOSE, MID)


def label_prices(bars: Bars, label: str) -> NDArray[np.float64]:
    """Return ``(T,)`` the prices whose moves are forecast, quote currency.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.
        label: one of ``LABELS``.
    """
    closes: NDArray[np.float64] = bars["close"]
    return mids(bars) if label == MID else closes

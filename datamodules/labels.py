"""Which move a forecast is about: of the close or of the mid, over so many bars. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.mids import mids
from datamodules.target import MID
from streaming.bars import Bars


def label_prices(bars: Bars, label: str) -> NDArray[np.float64]:
    """Return ``(T,)`` the prices whose moves are forecast, quote currency.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.
        label: one of ``LABELS``.
    """
    closes: NDArray[np.float64] = bars["close"]
    return mids(bars) if label == MID else closes


def moves_over(price: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return how far the price moves in ``horizon`` bars.

    Args:
        price: ``(T,)``.
        horizon: >= 1; neighbouring moves have all but one of their bars in common.

    Returns:
        ``(T - horizon,)``; the move after bar ``i`` is known when bar ``i + horizon`` closes.
    """
    return price[horizon:] - price[:-horizon]

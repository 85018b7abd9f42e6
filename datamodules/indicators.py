"""Technical indicators along the last axis, of numpy arrays and torch tensors alike.

Only slicing, IEEE arithmetic and sums in order are used: every value depends on a fixed number of
inputs, in a fixed order of operations. So the value of a bar is the same bits whatever comes before
or after it in the array, and the same in numpy (training) as in torch (the exported model).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

# A numpy array or torch tensor (..., T): both have the operators used, and no common base class.
Series: TypeAlias = Any

# Keeps ratios finite where nothing moved or traded; it is far below any volume, and below any price
# step once it is taken as a share of the price.
TINY = 1e-12

RSI_BARS = 14

# So few means over more than so many values, as a forecast has, are each summed by itself, in the
# same order: in a third of the time.
FEW, SHORT = 64, 15


def lagged(x: Series, lag: int, n: int) -> Series:
    """Return the ``n`` values that end ``lag`` places before the end."""
    stop = x.shape[-1] - lag
    return x[..., stop - n : stop]


def sma(x: Series, length: int) -> Series:
    """Return the simple moving average, ``(..., T)`` -> ``(..., T - length + 1)``."""
    if not isinstance(x, np.ndarray):  # four operations: a model is exported by the operation
        return x.unfold(-1, length, 1).cumsum(-1)[..., -1] / length
    n = x.shape[-1] - length + 1
    if 0 < n <= FEW and length > SHORT:
        windows = np.lib.stride_tricks.as_strided(
            x, (*x.shape[:-1], n, length), (*x.strides, x.strides[-1]), writeable=False
        )
        return (np.add.accumulate(windows, axis=-1)[..., -1] + 0.0) / length
    total = x[..., :n] + 0.0  # as torch's sums, which begin at 0: -0.0 + 0.0 is 0.0
    for first in range(1, length):
        total = total + x[..., first : first + n]
    return total / length


def change(x: Series) -> Series:
    """Return the relative change, 0.01 = 1 %, ``(..., T)`` -> ``(..., T - 1)``."""
    return x[..., 1:] / x[..., :-1] - 1.0


def rsi(close: Series, length: int = RSI_BARS) -> Series:
    """Return the relative strength index with simple means, 0 to 100, 50 where nothing moved.

    Simple instead of Wilder's recursive means: those remember the whole past, so that the same
    bars would have other values after a restart.

    Args:
        close: ``(..., T)``, quote currency.
        length: changes averaged.

    Returns:
        ``(..., T - length)``.
    """
    moved = close[..., 1:] - close[..., :-1]
    gain = sma((abs(moved) + moved) / 2, length)
    loss = sma((abs(moved) - moved) / 2, length)
    # A share of the price, so that the RSI does not depend on the price's unit. Above a price of 1
    # the share only shrinks, which no move notices.
    tiny = TINY * lagged(close, 0, gain.shape[-1]).clip(max=1.0)
    return 100.0 * (gain + tiny / 2) / (gain + loss + tiny)

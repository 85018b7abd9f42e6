"""Carry the last value that is not zero forward, where zero means "nothing new"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def forward_fill(values: NDArray[Any], first: Any) -> NDArray[Any]:
    """Return ``values``, ``(n,)``, with each 0 replaced by the last value before it that is not 0.

    Args:
        values: ``(n,)`` numbers.
        first: what replaces the zeros at the start; one value, or ``(n,)`` values.

    >>> forward_fill(np.array([0, 2, 0, 0, -1, 0]), 7).tolist()
    [7, 2, 2, 2, -1, -1]
    """
    if len(values) == 0:
        return values
    at = np.maximum.accumulate(np.where(values != 0, np.arange(len(values)), -1))
    return np.where(at >= 0, values[at], first)

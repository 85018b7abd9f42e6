"""What every process is: returns of a second, drawn for ever."""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Process(abc.ABC):
    """Draws the returns of consecutive seconds; each process overrides ``blocks``."""

    @abc.abstractmethod
    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        """Yield ``(n,)`` returns, sigma, block after block, for ever."""

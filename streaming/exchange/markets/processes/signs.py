"""Directions persist, sizes say nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.processes.process import Floats, Process


@dataclasses.dataclass(frozen=True)
class Signs(Process):
    """A return has the sign of the one before with probability ``same``; its size is |N(0, 1)|.

    Attributes:
        same: how often a direction is that of the second before.
    """

    same: float = 0.6

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        last = 1.0 if rng.random() < 0.5 else -1.0
        while True:
            signs = last * np.cumprod(2.0 * (rng.random(n) < self.same) - 1)
            last = float(signs[-1])
            yield signs * np.abs(rng.standard_normal(n))

"""Momentum that turns into reversal and back at fixed times: what was learned becomes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.processes.momentum import hidden_drift
from streaming.exchange.markets.processes.process import Floats, Process


@dataclasses.dataclass(frozen=True)
class Switch(Process):
    """Momentum for ``every`` seconds, reversal for as many, and so on.

    In a reversal the hidden state turns with probability 1 - flip before each second.

    Attributes:
        drift: as that of ``Momentum``.
        flip: as that of ``Momentum``, while it lasts.
        every: seconds until the first switch, and between two.
    """

    drift: float = 1.0
    flip: float = 0.05
    every: int = 3600

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        hidden = 1.0 if rng.random() < 0.5 else -1.0
        first = 0
        while True:
            flips = self.flips(first, n)
            returns, hidden = hidden_drift(rng, flips, self.drift, hidden)
            first += n
            yield returns

    def flips(self, first: int, n: int) -> Floats:
        """Return ``(n,)`` how likely the hidden state turns before each second, from ``first``."""
        reversal = np.arange(first, first + n) // self.every % 2 == 1
        return np.where(reversal, 1 - self.flip, self.flip)

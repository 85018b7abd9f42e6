"""Momentum that turns into reversal and back at known times: what was learned becomes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.answer import Answer
from streaming.exchange.markets.chain import Floats
from streaming.exchange.markets.momentum import Momentum, beliefs, hidden_drift
from streaming.exchange.markets.process import Process


@dataclasses.dataclass(frozen=True)
class Switch(Process):
    """Momentum for ``every`` seconds, reversal for as many, and so on; the state is the belief.

    In a reversal the hidden state turns with probability 1 - flip before each second. That is
    momentum with each other second upside down, so the exact rule, which knows when it switches,
    is as good in both and at the turn itself.

    Attributes:
        drift: as of ``Momentum``.
        flip: as of ``Momentum``, while it lasts.
        every: seconds until the first switch, and between two.
    """

    drift: float = 1.0
    flip: float = 0.05
    every: int = 3600

    @property
    def phases(self) -> tuple[Momentum, Momentum]:
        """The two rules in turn; each by itself knows nothing of the other."""
        return Momentum(self.drift, self.flip), Momentum(self.drift, 1 - self.flip)

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        hidden = 1.0 if rng.random() < 0.5 else -1.0
        first = 0
        while True:
            returns, hidden = hidden_drift(rng, self._flip(first, n), self.drift, hidden)
            first += n
            yield returns

    def states(self, returns: Floats) -> Floats:
        return beliefs(returns, self._flip(0, len(returns)), self.drift)

    def up(self, states: Floats) -> Floats:
        return self.phases[0].up(states)

    def mean(self, states: Floats) -> Floats:
        return self.phases[0].mean(states)

    def answer(self) -> Answer:
        return self.phases[0].answer()

    def _flip(self, first: int, n: int) -> Floats:
        """Return ``(n,)`` how likely the hidden state turns before each second, from ``first``."""
        reversal = np.arange(first, first + n) // self.every % 2 == 1
        return np.where(reversal, 1 - self.flip, self.flip)

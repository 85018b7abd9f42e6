"""A hidden state drifts up or down, and turns now and then."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.processes.process import Floats, Process


def hidden_drift(rng: Generator, flip: Floats, drift: float, last: float) -> tuple[Floats, float]:
    """Return ``(n,)`` returns, and the last hidden state.

    Args:
        rng: source of all draws.
        flip: ``(n,)`` how likely the state turns before each second.
        drift: sigma a second, up or down.
        last: the state before, +1 or -1.
    """
    states = last * np.cumprod(np.where(rng.random(len(flip)) < flip, -1.0, 1.0))
    return drift * states + rng.standard_normal(len(flip)), float(states[-1])


@dataclasses.dataclass(frozen=True)
class Momentum(Process):
    """Returns are a drift up or down plus a standard normal.

    Attributes:
        drift: sigma; how clearly a second shows the hidden state.
        flip: how likely the hidden state turns before each second, in (0, 1) but not 1/2. Above
            1/2, it mostly turns, and each move is taken back.
    """

    drift: float = 0.5
    flip: float = 0.05

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        hidden = 1.0 if rng.random() < 0.5 else -1.0
        while True:
            returns, hidden = hidden_drift(rng, np.full(n, self.flip), self.drift, hidden)
            yield returns

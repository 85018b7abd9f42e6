"""A hidden state drifts up or down, and turns now and then.

Source: the two-state case of the forward filter of L. Rabiner, A tutorial on hidden Markov models
(1989).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.chain import Chain, Floats, spread
from streaming.exchange.markets.normal import NODES, WEIGHTS, cdf
from streaming.exchange.markets.process import Stationary

GRID = 401


def hidden_drift(rng: Generator, flip: Floats, drift: float, last: float) -> tuple[Floats, float]:
    """Return ``(n,)`` returns, and the last hidden state.

    Args:
        rng: source of all draws.
        flip: ``(n,)`` how likely the state turns before each second.
        drift: of a second, up or down, sigma.
        last: the state before, +1 or -1.
    """
    states = last * np.cumprod(np.where(rng.random(len(flip)) < flip, -1.0, 1.0))
    return drift * states + rng.standard_normal(len(flip)), float(states[-1])


def beliefs(returns: Floats, flip: Floats, drift: float) -> Floats:
    """Return ``(n,)`` the exact probability of the upper state before each of ``(n,)`` returns."""
    before = np.empty(len(returns))
    belief = 0.5
    for i, (r, turns) in enumerate(zip(returns.tolist(), flip.tolist(), strict=True)):
        belief = turns + (1 - 2 * turns) * belief
        before[i] = belief
        belief /= belief + (1 - belief) * math.exp(-2 * drift * r)
    return before


@dataclasses.dataclass(frozen=True)
class Momentum(Stationary):
    """Returns are a drift up or down plus a standard normal; the state is the belief in up.

    Attributes:
        drift: sigma; how far a second tells the hidden state.
        flip: how likely the hidden state turns before each second, in (0, 1) but not 1/2. Above it,
            it mostly does, and each move is taken back: the figures are those of 1 - flip.
    """

    drift: float = 0.5
    flip: float = 0.05

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        hidden = 1.0 if rng.random() < 0.5 else -1.0
        while True:
            returns, hidden = hidden_drift(rng, np.full(n, self.flip), self.drift, hidden)
            yield returns

    def states(self, returns: Floats) -> Floats:
        return beliefs(returns, np.full(len(returns), self.flip), self.drift)

    def up(self, states: Floats) -> Floats:
        down, up = (float(p) for p in cdf(np.array([-self.drift, self.drift])))
        return down + (up - down) * states

    def mean(self, states: Floats) -> Floats:
        return self.drift * (2 * states - 1)

    def chain(self) -> Chain:
        # Log odds never pass those of a state known for certain a second ago.
        reach = abs(math.log(self.flip / (1 - self.flip)))
        odds = np.linspace(-reach, reach, GRID)
        belief = 1 / (1 + np.exp(-odds))
        ends, weights = [], []
        for hidden, likely in ((1, belief), (-1, 1 - belief)):
            told = odds[:, None] + 2 * self.drift * (hidden * self.drift + NODES)
            after = self.flip + (1 - 2 * self.flip) / (1 + np.exp(-told))
            ends.append(np.log(after / (1 - after)))
            weights.append(likely[:, None] * WEIGHTS)
        return Chain(belief, spread(odds, np.hstack(ends), np.hstack(weights)))

"""Each return carries over into the next: r' = carry r + e."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.chain import Chain, Floats, gaussian
from streaming.exchange.markets.normal import cdf
from streaming.exchange.markets.process import Stationary


def autoregression(noise: Floats, carry: float, last: float) -> Floats:
    """Return ``(n,)`` x of x' = carry x + noise, ``(n,)``, from ``last`` on."""
    path = itertools.accumulate(noise.tolist(), lambda x, e: carry * x + e, initial=last)
    return np.fromiter(path, np.float64, len(noise) + 1)[1:]


@dataclasses.dataclass(frozen=True)
class AR1(Stationary):
    """P(up) is Phi(carry r): right in 1/2 + asin |carry| / pi of all seconds.

    The state is the return before.

    Attributes:
        carry: phi; negative if returns are taken back. Its size is below 1.
    """

    carry: float = 0.3

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        last = float(rng.normal(0, 1 / math.sqrt(1 - self.carry**2)))
        while True:
            returns = autoregression(rng.standard_normal(n), self.carry, last)
            last = float(returns[-1])
            yield returns

    def states(self, returns: Floats) -> Floats:
        return np.concatenate([[0.0], returns])[:-1]

    def up(self, states: Floats) -> Floats:
        return cdf(self.mean(states))

    def mean(self, states: Floats) -> Floats:
        return self.carry * states

    def chain(self) -> Chain:
        return gaussian(self.carry, 1.0)

"""A signal without noise: an agent need not filter it and has to learn nothing but trading."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

from numpy.random import Generator

from streaming.exchange.markets.processes.ar1 import autoregression
from streaming.exchange.markets.processes.process import Floats
from tests.oracles.chain import gaussian
from tests.oracles.trading import Optimum, optimum


class Shown(NamedTuple):
    """A drawn signal and the returns that follow it.

    Attributes:
        signal: ``(n,)`` the expected return of each bar, known before it, bp.
        returns: ``(n,)`` of each bar, bp.
    """

    signal: Floats
    returns: Floats


@dataclasses.dataclass(frozen=True)
class Signal:
    """p' = carry p + news, return = p + noise e; the best trader of p needs nothing else.

    Attributes:
        carry: rho, in (-1, 1).
        sd: standard deviation of the signal in the long run, bp.
        noise: sd of the return around its signal, bp; the optimum does not depend on it.
    """

    carry: float = 0.9
    sd: float = 0.5
    noise: float = 1.0

    def draw(self, rng: Generator, n: int) -> Shown:
        """Return ``n`` bars; the signal starts from its long-run distribution."""
        news = rng.normal(0, self._news_sd, n)
        signal = autoregression(news, self.carry, float(rng.normal(0, self.sd)))
        return Shown(signal, signal + rng.normal(0, self.noise, n))

    def optimum(self, cost: float, positions: tuple[float, float] = (0.0, 1.0)) -> Optimum:
        """Return what the best trader does and earns, in bp; see ``trading.optimum``."""
        chain = gaussian(self.carry, self._news_sd)
        return optimum(chain, chain.states, cost, positions)

    @property
    def _news_sd(self) -> float:
        return self.sd * math.sqrt(1 - self.carry**2)

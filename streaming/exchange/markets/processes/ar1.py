"""Each return carries over into the next: r' = carry r + e."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.processes.process import Floats, Process


def autoregression(noise: Floats, carry: float, last: float) -> Floats:
    """Return ``(n,)`` x of x' = carry x + noise, ``(n,)``, from ``last`` on."""
    path = itertools.accumulate(noise.tolist(), lambda x, e: carry * x + e, initial=last)
    return np.fromiter(path, np.float64, len(noise) + 1)[1:]


@dataclasses.dataclass(frozen=True)
class AR1(Process):
    """A return is ``carry`` times the one before plus a standard normal.

    Attributes:
        carry: phi, between -1 and 1; negative if returns are taken back.
    """

    carry: float = 0.3

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        last = float(rng.normal(0, 1 / math.sqrt(1 - self.carry**2)))
        while True:
            returns = autoregression(rng.standard_normal(n), self.carry, last)
            last = float(returns[-1])
            yield returns

"""Independent returns: nothing predicts them. A learner that finds anything here is mistaken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from numpy.random import Generator

from streaming.exchange.markets.processes.process import Floats, Process


@dataclasses.dataclass(frozen=True)
class Martingale(Process):
    """Returns are standard normal."""

    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        while True:
            yield rng.standard_normal(n)

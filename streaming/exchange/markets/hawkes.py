"""Orders excite orders of their side, and each moves the mid: the next side can be predicted.

Source of the intensities: A. Hawkes, Spectra of some self-exciting and mutually exciting point
processes (1971).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.arrivals import BLOCK_S, Arrivals
from streaming.exchange.markets.market import Block

STEP = 0.04e-4  # log return of the mid that an order makes: the spread of the other markets

PERSISTENT = Arrivals(parents_per_s=3.0, own_side=0.7, other_side=0.0, decay_per_s=5.0)
BALANCED = np.zeros(BLOCK_S)  # orders without a parent lean to neither side


@dataclasses.dataclass(frozen=True)
class Hawkes:
    """A market of nothing but orders.

    Attributes:
        arrivals: when orders come and on which side; by default 1.5 orders a second and side have
            no parent, and each order excites 0.7 more on its side.
    """

    arrivals: Arrivals = PERSISTENT

    def blocks(self, _mid_rng: Generator, order_rng: Generator) -> Iterator[Block]:
        """Yield the market for ever; an order meets the mid that the last one left."""
        for time, side in self.arrivals.blocks(order_rng, itertools.repeat(BALANCED)):
            mid = STEP * np.concatenate([[0], np.cumsum(side, dtype=np.int64)])
            at, begins = np.arange(len(side)), np.concatenate([[0.0], time])
            yield Block(mid, at, time, side, at + 1, begins, side, by_order=True)

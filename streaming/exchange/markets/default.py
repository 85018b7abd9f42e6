"""The market of ``sim``: hidden momentum, with which the takers' sides lean a little."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from streaming.exchange.markets.arrivals import BLOCK_S
from streaming.exchange.markets.market import SIGMA, STEPS, MidMoves

LEAN = 0.05  # how far the takers' sides follow the drift


def leaning(rng: Generator, *, drift: float = 0.5, flip: float = 0.05) -> Iterator[MidMoves]:
    """Yield moves that drift up or down with a hidden state, as ``Momentum`` does by the second.

    With these values the past moves of the mid predict 61 % of the next second's directions at
    best, the last move alone 57 %; the lean adds little.

    Args:
        rng: source of all draws.
        drift: how far a second drifts, in standard deviations of its return.
        flip: how often the state turns, a second.
    """
    state = 1.0
    while True:
        turns = np.where(rng.random(BLOCK_S) < flip, -1.0, 1.0).astype(np.float64)
        states = np.cumprod(turns) * np.float64(state)
        state = float(states[-1])
        noise = rng.normal(0, SIGMA / math.sqrt(STEPS), BLOCK_S * STEPS)
        yield MidMoves(np.repeat(states, STEPS) * (drift * SIGMA / STEPS) + noise, states * LEAN)

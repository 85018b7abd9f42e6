"""Forecasters of which it is known how much they know, on simulated markets, and baselines beside.

The baselines are those of a session: the naive ones refitted each 30 bars, and one that learned as
much as the online logistic regression did when it was measured (on hidden momentum 60 % accuracy,
on a martingale nothing but noise of 0.04).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.ticks import NS_PER_S
from tests.oracles.processes import Momentum
from trainers.scoring.ledger import MADE
from trainers.scoring.moves import Moves
from trainers.scoring.scored import Scored

CYCLE = 30
HISTORY = 200  # bars before the first cycle
# How much noise on the exact filter's log odds leaves so many points of accuracy above 50.
NOISE = {11: 0.1, 9.5: 0.33, 9: 0.4, 6: 0.75, 5: 0.9}

Floats = NDArray[np.float64]


class Martingale:
    """Bars that nobody can know, and forecasters that are noise around one half.

    Attributes:
        up: ``(bars,)`` 1 if a bar went up, else 0.
        baselines: by name.
    """

    def __init__(self, seed: int, bars: int) -> None:
        self.rng = np.random.default_rng([seed, 1])
        self.up = (self.rng.random(bars) < 0.5).astype(np.float64)
        self.baselines = {**naive(self.rng, self.up), "logistic": self.noise(0.04)}

    def noise(self, spread: float) -> Scored:
        said = 0.5 + spread * self.rng.standard_normal(len(self.up))
        return scored_of_moves(self.up, np.clip(said, 0.01, 0.99))


class Hidden:
    """Hidden momentum, and forecasters that see the exact filter through noise, calibrated.

    Attributes:
        up: ``(bars,)`` 1 if a bar went up, else 0.
        exact: ``(bars,)`` the exact probability of that.
    """

    def __init__(self, seed: int, bars: int) -> None:
        self.rng = np.random.default_rng([seed, 2])
        path = Momentum().draw(self.rng, bars)
        self.up, self.exact = (path.returns > 0).astype(np.float64), path.up

    def knows(self, points: float) -> Floats:
        """Return the forecasts of one that is right in 50 + ``points`` of 100 bars."""
        return through_noise(self.rng, self.exact, NOISE[points], shrink(points))

    def scored(self, probability: Floats) -> Scored:
        return scored_of_moves(self.up, probability)

    def baselines(self) -> dict[str, Scored]:
        return {**naive(self.rng, self.up), "logistic": self.scored(self.knows(9.5))}


def scored_of_moves(up: Floats, probability: Floats) -> Scored:
    """Return ``(n,)`` forecasts beside what came of them, and one that waits."""
    n = len(up) + 1
    zeros, moved = np.zeros(n), np.append(2 * up - 1, 0.0)
    waiting = np.arange(n) == n - 1
    moves = Moves(
        bar=np.arange(n) * NS_PER_S,
        half_spread_bps=zeros,
        direction=zeros,
        typical_bps=zeros,
        path_bps=zeros,
        known=np.arange(n),
        moved=moved,
        move_bps=zeros,
        lost=np.zeros(n, bool),
        open=waiting,
        ret_bps=zeros,
        broken=np.zeros(n, bool),
        waiting=waiting,
    )
    said = np.append(probability, 0.5)
    return Scored(moves, said, np.zeros(n, np.int8), np.full(n, MADE, np.uint8))


def until(scored: Scored, bars: int) -> Scored:
    """Return what was known when ``bars`` bars were."""
    up = (scored.moves.moved[:bars] > 0).astype(np.float64)
    return scored_of_moves(up, scored.probability[:bars])


def naive(rng: Generator, up: Floats) -> dict[str, Scored]:
    """Return the baselines that only count (``baselines.naive``), all bars at once."""
    every = np.concatenate([(rng.random(HISTORY) < 0.5).astype(np.float64), up])
    cut = HISTORY + np.arange(len(up)) // CYCLE * CYCLE  # bars known when they last learned
    ups = np.concatenate([[0.0], np.cumsum(every)])[cut]
    same = np.concatenate([[0.0, 0.0], np.cumsum(every[1:] == every[:-1])])[cut]
    agreed = (same + 1) / (cut + 1)
    last = 2 * every[HISTORY - 1 : -1] - 1
    said = {
        "majority": (ups + 1) / (cut + 2),
        "last_direction": 0.5 + last * (np.maximum(agreed, 0.5) - 0.5),
        "reversal": 0.5 - last * (np.maximum(1 - agreed, 0.5) - 0.5),
    }
    return {name: scored_of_moves(up, probability) for name, probability in said.items()}


def through_noise(rng: Generator, exact: Floats, noise: float, factor: float) -> Floats:
    """Return probabilities of which the log odds are noisy and shrunk by a factor."""
    odds = np.log(exact / (1 - exact)) + noise * rng.standard_normal(len(exact))
    return 1 / (1 + np.exp(-factor * odds))


@cache
def shrink(points: float) -> float:
    """Return the factor on noisy log odds that makes them calibrated: logistic regression."""
    market = Hidden(0, 200_000)
    said = through_noise(market.rng, market.exact, NOISE[points], 1.0)
    odds = np.log(said / (1 - said))
    factor = 1.0
    for _ in range(20):  # Newton's method
        said = 1 / (1 + np.exp(-factor * odds))
        slope = np.mean(said * (1 - said) * odds**2)
        factor += float(np.mean((market.up - said) * odds) / slope)
    return factor

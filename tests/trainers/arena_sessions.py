"""Simulated sessions of the arena, whose truth is known: scores alone, nobody is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.arena.board import Pairs, pairs_of, running
from trainers.scoring.arena.boundary import reach

Floats = NDArray[np.float64]


def session(rng: np.random.Generator, entrants: int, bars: int) -> tuple[Floats, Floats, Floats]:
    """Chances of a rise, forecasts ``(bars, entrants)`` that know a part of it, and outcomes."""
    chance = 1 / (1 + np.exp(-rng.normal(0, 0.3, bars)))
    knows, noise = rng.choice([0.0, 0.5, 1.0], entrants), rng.uniform(0.01, 0.15, entrants)
    p = 0.5 + (chance[:, None] - 0.5) * knows + noise * rng.normal(size=(bars, entrants))
    return chance, p.clip(0.01, 0.99), (rng.random(bars) < chance).astype(np.float64)


def followed(chance: Floats, p: Floats, up: Floats) -> tuple[Pairs, Floats]:
    """The pairs after each bar, and how far their sums are off their expectations, ``(n, P)``."""
    one, other = pairs_of(p.shape[1])
    nothing = Pairs(*np.zeros((4, len(one))))
    found = Pairs(*(part[1:] for part in running(nothing, p, np.ones(p.shape, bool), up)))
    d, total = p[:, other] - p[:, one], p[:, other] + p[:, one]
    return found, np.abs(found.better - np.cumsum(d * (total - 2 * chance[:, None]), axis=0))


def ever_wrong(found: Pairs, off: Floats, alpha: float) -> bool:
    """Whether any sum is ever further off than it may be; none may be nearer than a normal's."""
    maybe = np.square(off) > -2 * np.log(alpha) * found.spread
    return bool((off[maybe] > reach(found.spread[maybe], found.bound[maybe], alpha)).any())

"""What is known before each second, as a Markov chain on a grid.

The state is one number that sums up the past: the last return, a belief, a signal. Whatever can be
known or earned in the long run follows from the chain by linear algebra.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streaming.exchange.markets.processes.process import Floats

# E f(Z) = WEIGHTS @ f(NODES) for a standard normal Z. The trapezoid rule is exact to the last
# digits for a smooth f, and its dense nodes, unlike those of Gauss and Hermite, nearly so for one
# with a kink.
NODES = np.linspace(-7, 7, 141)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()

REACH = 7.0  # standard deviations on either side that a grid covers


class Chain(NamedTuple):
    """A Markov chain on a grid of ``g`` states.

    Attributes:
        states: ``(g,)`` rising.
        after: ``(g, g)`` the probability of each state (column) after each (row).
    """

    states: Floats
    after: Floats

    def stationary(self) -> Floats:
        """Return how often each state occurs in the long run, ``(g,)``."""
        balance = self.after.T - np.eye(len(self.states))
        balance[-1] = 1.0  # one equation is implied by the others; this one sums to 1
        return np.linalg.solve(balance, np.eye(len(self.states))[-1])


def gaussian(carry: float, sd: float, size: int = 401) -> Chain:
    """Return the chain of x' = carry x + sd e, with e standard normal."""
    reach = REACH * sd / np.sqrt(1 - carry**2)
    grid = np.linspace(-reach, reach, size)
    return Chain(grid, spread(grid, carry * grid[:, None] + sd * NODES, WEIGHTS))


def spread(grid: Floats, targets: Floats, weights: Floats) -> Floats:
    """Return the transition matrix ``(g, g)`` of moves that end between the points of a grid.

    Each move is shared by the two points next to its end, which keeps its mean.

    Args:
        grid: ``(g,)`` equally spaced.
        targets: ``(g, k)`` where the moves from each point end; held at the ends of the grid.
        weights: the probability of each move, of a shape that broadcasts to ``(g, k)``.
    """
    place = np.clip((targets - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1)
    below = np.minimum(place.astype(np.int64), len(grid) - 2)
    share = place - below
    start = np.arange(len(grid))[:, None]
    after = np.zeros((len(grid), len(grid)))
    np.add.at(after, (start, below), weights * (1 - share))
    np.add.at(after, (start, below + 1), weights * share)
    return after

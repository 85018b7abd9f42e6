"""The best trader of a known process that pays for each change of its position.

    h(x) = E[return | x] + E[clip(h(x'), -c, c)]

h(x) is the advantage of being in the market over being out in the state x: the next return, plus
the advantage afterwards, which is never more than the cost c of changing sides. The rule is the
same for any two positions: in if h > c, out if h < -c, else stay. The clip makes the equation a
contraction without a discount, so its solution is the optimum of the long-run average.

Source: the Bellman equation of a reward linear in the position; the threshold rule is that of
J. de Lataillade, C. Deremble, M. Potters and J.-P. Bouchaud, Optimal trading with linear costs
(2012).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.exchange.markets.processes.process import Floats
from streaming.forward_fill import forward_fill
from tests.oracles.chain import Chain

PRECISION = 1e-9  # to which h is solved
MAX_ROUNDS = 20_000


class Optimum(NamedTuple):
    """The best trader. Money is in the unit of the returns.

    Attributes:
        per_bar: what it earns a bar in the long run, less costs.
        turnover: how much its position changes a bar in the long run.
        threshold: it is in where the expected return of the next bar is above this, out where it is
            below minus this; infinite if trading never pays.
    """

    per_bar: float
    turnover: float
    threshold: float


def optimum(
    chain: Chain, mean: Floats, cost: float, positions: tuple[float, float] = (0.0, 1.0)
) -> Optimum:
    """Return the exact optimum of a process that is as likely to rise as to fall.

    Being short adds nothing new then: positions (-1, 1) earn and turn over twice what (0, 1) do,
    with the same threshold, and the best trader never takes a position in between.

    Args:
        chain: what is known before each bar.
        mean: ``(g,)`` the expected return of the next bar in each state; 0 on average, and h must
            rise with it.
        cost: what a change of position by 1 costs.
        positions: out and in.
    """
    advantage = advantage_of_in(chain, mean, cost)
    before, now = _share_in(chain, advantage > cost, advantage < -cost)
    width = positions[1] - positions[0]
    turnover = width * float(np.abs(now - before).sum())
    earned = width * float(now @ mean)
    return Optimum(earned - cost * turnover, turnover, _threshold(mean, advantage, cost))


def advantage_of_in(chain: Chain, mean: Floats, cost: float) -> Floats:
    """Return h, ``(g,)``: the advantage of being in over being out, in each state.

    Raises:
        ArithmeticError: if it takes too long, as when a state lasts for some 1,000 bars and more.
    """
    advantage = mean
    for _ in range(MAX_ROUNDS):
        new = mean + chain.after @ np.clip(advantage, -cost, cost)
        if np.abs(new - advantage).max() < PRECISION:
            return new
        advantage = new
    raise ArithmeticError(f"cost: got {cost}; the advantage of a position does not settle")


def _share_in(
    chain: Chain, enter: NDArray[np.bool_], leave: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return how often the trader is in, by state: before it acts and after, ``(g,)`` each."""
    now = np.where(enter, chain.stationary(), 0.0)
    if enter.any():
        # Where it stays, it is in as often as a second before: a linear system.
        stay = ~(enter | leave)
        among = np.eye(int(stay.sum())) - chain.after[np.ix_(stay, stay)]
        now[stay] = np.linalg.solve(among.T, (now @ chain.after)[stay])
    return now @ chain.after, now


def _threshold(mean: Floats, advantage: Floats, cost: float) -> float:
    """Return the mean at which the advantage passes the cost."""
    order = np.argsort(mean, kind="stable")
    if advantage.max() <= cost:
        return math.inf
    return float(np.interp(cost, advantage[order], mean[order]))


def positions_of(
    mean: Floats, threshold: float, positions: tuple[float, float] = (0.0, 1.0)
) -> Floats:
    """Return the position ``(n,)`` in which the threshold rule holds each of ``(n,)`` bars.

    Args:
        mean: ``(n,)`` the expected return of each bar: ``Path.mean`` or ``Shown.signal``.
        threshold: as in ``Optimum``.
        positions: out and in; it starts out.
    """
    wanted = np.where(mean > threshold, 1, np.where(mean < -threshold, -1, 0))
    return np.where(forward_fill(wanted, -1) > 0, positions[1], positions[0])


def earned(held: Floats, returns: Floats, cost: float, start: float = 0.0) -> Floats:
    """Return ``(n,)`` what positions earn in each bar, less the cost of their changes."""
    result: Floats = held * returns - cost * np.abs(np.diff(held, prepend=start))
    return result

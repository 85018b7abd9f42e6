"""The processes of the markets, each with the exact rule that predicts it best.

Each class draws what the market of its name draws, and adds the rule.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from streaming.exchange.markets.processes import ar1, martingale, momentum, signs, switch
from streaming.exchange.markets.processes.process import Floats
from tests.oracles.bayes import Answer, Predictable, Stationary
from tests.oracles.chain import NODES, WEIGHTS, Chain, gaussian, spread

MEAN_SIZE = math.sqrt(2 / math.pi)  # E |Z| of a standard normal Z
GRID = 401  # points of the belief's grid


class Martingale(martingale.Martingale, Stationary):
    """Nothing predicts it; the state is always 0."""

    def states(self, returns: Floats) -> Floats:
        return np.zeros(len(returns))

    def up(self, states: Floats) -> Floats:
        return np.full(len(states), 0.5)

    def mean(self, states: Floats) -> Floats:
        return np.zeros(len(states))

    def chain(self) -> Chain:
        return Chain(np.zeros(1), np.ones((1, 1)))


class AR1(ar1.AR1, Stationary):
    """P(up) is Phi(carry r): right in 1/2 + asin |carry| / pi of all seconds.

    The state is the return before.
    """

    def states(self, returns: Floats) -> Floats:
        return np.concatenate([[0.0], returns])[:-1]

    def up(self, states: Floats) -> Floats:
        up: Floats = ndtr(self.mean(states))
        return up

    def mean(self, states: Floats) -> Floats:
        return self.carry * states

    def chain(self) -> Chain:
        return gaussian(self.carry, 1.0)


class Signs(signs.Signs, Stationary):
    """Right in max(same, 1 - same) of all seconds; the state is the sign before, 0 if none."""

    def states(self, returns: Floats) -> Floats:
        return np.concatenate([[0.0], np.sign(returns)])[:-1]

    def up(self, states: Floats) -> Floats:
        return 0.5 + (self.same - 0.5) * states

    def mean(self, states: Floats) -> Floats:
        return (2 * self.same - 1) * MEAN_SIZE * states

    def chain(self) -> Chain:
        turn = 1 - self.same
        return Chain(np.array([-1.0, 1.0]), np.array([[self.same, turn], [turn, self.same]]))


def beliefs(returns: Floats, flip: Floats, drift: float) -> Floats:
    """Return ``(n,)`` the exact probability of the upper state before each of ``(n,)`` returns.

    Source: the two-state case of the forward filter of L. Rabiner, A tutorial on hidden Markov
    models (1989).
    """
    before = np.empty(len(returns))
    belief = 0.5
    for i, (r, turns) in enumerate(zip(returns.tolist(), flip.tolist(), strict=True)):
        belief = turns + (1 - 2 * turns) * belief
        before[i] = belief
        belief /= belief + (1 - belief) * math.exp(-2 * drift * r)
    return before


class Momentum(momentum.Momentum, Stationary):
    """The state is the belief that the hidden state is the upper one.

    The figures of ``flip`` are those of 1 - flip.
    """

    def states(self, returns: Floats) -> Floats:
        return beliefs(returns, np.full(len(returns), self.flip), self.drift)

    def up(self, states: Floats) -> Floats:
        down, up = (float(p) for p in ndtr([-self.drift, self.drift]))
        return down + (up - down) * states

    def mean(self, states: Floats) -> Floats:
        return self.drift * (2 * states - 1)

    def chain(self) -> Chain:
        # Log odds never pass those of a state known for certain a second ago.
        reach = abs(math.log(self.flip / (1 - self.flip)))
        odds = np.linspace(-reach, reach, GRID)
        belief = 1 / (1 + np.exp(-odds))
        ends, weights = [], []
        for hidden, likely in ((1, belief), (-1, 1 - belief)):
            shown = odds[:, None] + 2 * self.drift * (hidden * self.drift + NODES)
            after = self.flip + (1 - 2 * self.flip) / (1 + np.exp(-shown))
            ends.append(np.log(after / (1 - after)))
            weights.append(likely[:, None] * WEIGHTS)
        return Chain(belief, spread(odds, np.hstack(ends), np.hstack(weights)))


class Switch(switch.Switch, Predictable):
    """The state is the belief of ``Momentum``.

    A reversal is momentum with each other second upside down, so the exact rule, which knows when
    it switches, is as good in both and at the turn itself.
    """

    @property
    def phases(self) -> tuple[Momentum, Momentum]:
        """The two rules in turn; each by itself knows nothing of the other."""
        return Momentum(self.drift, self.flip), Momentum(self.drift, 1 - self.flip)

    def states(self, returns: Floats) -> Floats:
        return beliefs(returns, self.flips(0, len(returns)), self.drift)

    def up(self, states: Floats) -> Floats:
        return self.phases[0].up(states)

    def mean(self, states: Floats) -> Floats:
        return self.phases[0].mean(states)

    def answer(self, shows: float = 0.5) -> Answer:
        return self.phases[0].answer(shows)


# The same parameters as those of the markets' registry.
BY_NAME: dict[str, Predictable] = {
    "martingale": Martingale(),
    "ar1": AR1(),
    "signs": Signs(),
    "momentum": Momentum(),
    "switch": Switch(),
}

"""How well the best possible forecast of a market's direction does, exactly.

Process (draws returns) ─> Predictable (adds its Bayes rule) ─> Path, Answer, Optimum
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.processes.process import Floats, Process
from tests.oracles.chain import Chain
from tests.oracles.trading import Optimum, optimum


class Answer(NamedTuple):
    """The figures of the Bayes rule, which no model beats in the long run.

    Attributes:
        accuracy: how often the likelier direction comes.
        log_loss: mean loss of the exact probabilities, nats; ln 2 if nothing can be predicted.
    """

    accuracy: float
    log_loss: float


def answer_of(up: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Answer:
    """Return the expected figures of exact probabilities.

    Args:
        up: ``(n,)`` the probability of a rise, given all that can be known.
        weights: ``(n,)`` how often each of them occurs, summing to 1; all alike if None.
    """
    sure = np.maximum(up, 1 - up)
    unsure = np.maximum(1 - sure, np.finfo(np.float64).tiny)  # 0 ln 0 is 0
    loss = -sure * np.log(sure) - unsure * np.log(unsure)
    return Answer(*(float(np.average(x, weights=weights)) for x in (sure, loss)))


def after_book(up: Floats, leans: NDArray[np.int8] | int, shows: float) -> Floats:
    """Return ``(n,)`` the probability of a rise, given the side to which the book leans as well.

    Args:
        up: ``(n,)`` the probability without the book.
        leans: ``(n,)`` its larger side, +1 or -1, which is the direction that comes with
            probability ``shows``, whatever was before.
        shows: how often.
    """
    likely = np.where(np.asarray(leans) > 0, shows, 1 - shows)
    rises, falls = up * likely, (1 - up) * (1 - likely)
    probability: Floats = rises / (rises + falls)
    return probability


def with_book(up: Floats, shows: float, weights: Floats | None = None) -> Answer:
    """Return the expected figures of who sees the book too; arguments as above."""
    often = np.full(len(up), 1 / len(up)) if weights is None else weights
    seen = np.concatenate([after_book(up, side, shows) for side in (1, -1)])
    bid_larger = up * shows + (1 - up) * (1 - shows)
    return answer_of(seen, np.concatenate([often * bid_larger, often * (1 - bid_larger)]))


class Path(NamedTuple):
    """Returns of consecutive seconds, and what the past says about each of them.

    Attributes:
        returns: ``(n,)`` of the mid, sigma.
        up: ``(n,)`` the exact P(``returns[i]`` > 0 given ``returns[:i]``).
        mean: ``(n,)`` the exact E(``returns[i]`` given ``returns[:i]``), sigma.
    """

    returns: Floats
    up: Floats
    mean: Floats


class Predictable(Process):
    """A process whose past one number sums up: the state."""

    @abc.abstractmethod
    def states(self, returns: Floats) -> Floats:
        """Return ``(n,)`` the state before each of ``(n,)`` returns, the process's first."""

    @abc.abstractmethod
    def up(self, states: Floats) -> Floats:
        """Return the probability that the next return is positive, in each state."""

    @abc.abstractmethod
    def mean(self, states: Floats) -> Floats:
        """Return the mean of the next return, sigma, in each state."""

    @abc.abstractmethod
    def answer(self, shows: float = 0.5) -> Answer:
        """Return the figures of the exact rule, in the long run; ``shows`` as in ``with_book``."""

    def draw(self, rng: Generator, n: int) -> Path:
        """Return the first ``n`` seconds of the process."""
        return self.predict(next(self.blocks(rng, n)))

    def predict(self, returns: Floats) -> Path:
        """Return what this process's rule says about ``(n,)`` returns of any process."""
        states = self.states(returns)
        return Path(returns, self.up(states), self.mean(states))


class Stationary(Predictable):
    """A process whose rule never changes: its figures follow from one chain."""

    @abc.abstractmethod
    def chain(self) -> Chain:
        """Return how the state moves from second to second."""

    def answer(self, shows: float = 0.5) -> Answer:
        chain = self.chain()
        return with_book(self.up(chain.states), shows, chain.stationary())

    def optimum(self, cost: float, positions: tuple[float, float] = (0.0, 1.0)) -> Optimum:
        """Return what the best trader does and earns, in sigma; see ``trading.optimum``."""
        chain = self.chain()
        return optimum(chain, self.mean(chain.states), cost, positions)

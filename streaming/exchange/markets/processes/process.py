"""What every process is: returns drawn for ever, and the exact rule that knows them best."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import NamedTuple

from numpy.random import Generator

from streaming.exchange.markets.answer import Answer, answer_of
from streaming.exchange.markets.chain import Chain, Floats
from streaming.exchange.markets.trading import Optimum, optimum


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


class Process(abc.ABC):
    """Returns of a second, of which one number, the state, is all that the past can tell."""

    @abc.abstractmethod
    def blocks(self, rng: Generator, n: int) -> Iterator[Floats]:
        """Yield ``(n,)`` returns, sigma, block after block, for ever."""

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
    def answer(self) -> Answer:
        """Return the figures of the exact rule, in the long run."""

    def draw(self, rng: Generator, n: int) -> Path:
        """Return the first ``n`` seconds of the process."""
        return self.told(next(self.blocks(rng, n)))

    def told(self, returns: Floats) -> Path:
        """Return what this process's rule says about ``(n,)`` returns, whoever drew them."""
        states = self.states(returns)
        return Path(returns, self.up(states), self.mean(states))


class Stationary(Process):
    """A process of which the rule never changes: its figures follow from one chain."""

    @abc.abstractmethod
    def chain(self) -> Chain:
        """Return how the state moves from second to second."""

    def answer(self) -> Answer:
        chain = self.chain()
        return answer_of(self.up(chain.states), chain.stationary())

    def optimum(self, cost: float, positions: tuple[float, float] = (0.0, 1.0)) -> Optimum:
        """Return what the best trader does and earns, in sigma; see ``trading.optimum``."""
        chain = self.chain()
        return optimum(chain, self.mean(chain.states), cost, positions)

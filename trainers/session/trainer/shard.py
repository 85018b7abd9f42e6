"""The markets of one trainer, which take turns: no bar waits for another market's cycle.

Before each step of a cycle, a learner's turn at most, the new bars of all markets are forecast. One
cycle runs at a time, in the order in which they became due: so each is as short as it can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from trainers.engine.commands import CycleDone
from trainers.learners.stacked import FEWEST, Stacks
from trainers.session.market.live_market import LiveMarket


class CycleEnd(NamedTuple):
    """A cycle that has ended, and the market whose cycle it was."""

    market: LiveMarket
    done: CycleDone


class Shard:
    """Lets markets take turns.

    Args:
        markets: the markets, in the session's order; ``add`` adds more.
        forecasting: the forecasts are made within it.

    Attributes:
        markets: the markets by symbol.
    """

    def __init__(
        self,
        markets: Iterable[LiveMarket] = (),
        forecasting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._forecasting = forecasting
        self.markets = {market.market: market for market in markets}
        self._stacks = Stacks()
        self._due: deque[LiveMarket] = deque()
        self._running: LiveMarket | None = None

    def add(self, market: LiveMarket) -> None:
        """Add a market, the last in order."""
        self.markets[market.market] = market

    @property
    def within_a_cycle(self) -> bool:
        """Whether a market is within a cycle."""
        return self._running is not None

    @property
    def busy(self) -> bool:
        """Whether a cycle is running or due."""
        return self.within_a_cycle or bool(self._due)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do in any market."""
        return not self.within_a_cycle and all(one.over for one in self.markets.values())

    def go_on(self) -> CycleEnd | None:
        """Forecast the new bars of all markets, then do a step of a cycle.

        Returns:
            The cycle's end, if that was its last step.
        """
        with self._forecasting():
            # A second's bars come while the first are forecast: none should wait for a step.
            if self._take():
                self._take()
        self._due += [one for one in self.markets.values() if one.due and one not in self._due]
        while self._running is None:
            if not self._due:
                return None
            first = self._due.popleft()
            if first.due:  # an operator may have paused it meanwhile
                self._running = first
        market = self._running
        if (done := market.step()) is None:
            return None
        self._running = None
        return CycleEnd(market, done)

    def _take(self) -> bool:
        """Take the new bars of each market once, and forecast; return whether there were any."""
        markets = self.markets.values()
        if len(markets) >= FEWEST:
            self._stacks.ask(asked for market in markets for asked in market.coming())
        return sum(market.take() for market in markets) > 0

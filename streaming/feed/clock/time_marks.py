"""Time passes without trades: marks make bars final in which nobody trades.

A second is over for a market once its end, and the time that a trade of it may take to come here,
have passed. Then a ping is sent; its answer proves that whatever the venue sent before has come, as
a connection keeps order. The built-in exchange says by itself up to when all trades have come.

No mark is made while trades are held back for a repair, nor after a reconnect until it is known
that no trade was missed meanwhile: a trade that comes after its mark is late, and no bar counts it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.bars import MAX_CARRY_S
from streaming.errors import RepairError
from streaming.feed.clock.delay import Delay
from streaming.feed.market.ingest import Ingest
from streaming.feed.rest.history import TradeHistory
from streaming.feed.rest.venue_clock import steady_ns
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks
from streaming.venues import Terms

LOOK_S = 0.05
MARGIN_NS = 100 * NS_PER_MS  # frames are gathered for 50 ms
ASK_AGAIN_NS = 5 * NS_PER_S
PING_S = 0.3  # from one ping to the next at least: Binance takes 5 messages a second, pongs too


class PingedLine(Protocol):
    """A connection, as far as marks depend on it."""

    made: int

    async def answers(self) -> bool:
        """Return whether the venue answers now: then all that it sent before is handled."""


class TimeMarks:
    """Makes the marks of all markets of a connection.

    Args:
        terms: the venue's.
        ingests: the markets' ways into their files.
        line: the connection that brings their trades.
        history: knows the venue's newest trades.
        push: takes trades of a market as if they had been streamed.
        grace_ns: how far past its end a second is final, ns.
    """

    def __init__(
        self,
        terms: Terms,
        ingests: Mapping[str, Ingest],
        line: PingedLine,
        history: TradeHistory,
        push: Callable[[str, Ticks], None],
        grace_ns: int,
    ) -> None:
        self._terms, self._ingests = terms, ingests
        self._line, self._history = line, history
        self._push, self._grace_ns = push, grace_ns
        self._delays = {symbol: Delay() for symbol in ingests}
        self._newest = dict.fromkeys(ingests, (0, 0))  # trade: its time, and when it came
        self._heard = dict.fromkeys(ingests, 0)  # when a row came last, steady ns
        self._whole_since = dict.fromkeys(ingests, -1)  # the connection since which none is missed
        self._asked = dict.fromkeys(ingests, 0)

    def heard(self, symbol: str, newest: int | None = None) -> None:
        """Take note that something has come of a market.

        Args:
            symbol: the market.
            newest: event time of its newest trade, ns; None if there is only a quote.
        """
        now = steady_ns()
        self._heard[symbol] = now
        if newest is not None:
            self._delays[symbol].add(now - newest)
            self._newest[symbol] = newest, now
            # Trades that are missing before it are a hole in the ids, which is seen to.
            self._whole_since[symbol] = self._line.made

    def happened_at(self, symbol: str, stamps: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return when what came with a market's trades happened at the venue, ns.

        Args:
            symbol: the market.
            stamps: ``(n,)`` when it was received, ns by our clock; within the last second.

        Returns:
            ``(n,)`` event times; None before the first trade. Where much comes at once, after a
            stall, they are not ahead of the trades it came with.
        """
        if (delay := self._delays[symbol].mean_ns) is None:
            return None
        newest, received = self._newest[symbol]
        came = steady_ns() - np.clip(time.time_ns() - stamps, 0, NS_PER_S)
        times: NDArray[np.int64] = np.minimum(came - delay, newest + came - received)
        return times

    def told(self, symbol: str, ts: int) -> None:
        """Take the venue's word that all trades of a market before ``ts``, ns, have come."""
        if self._is_whole(symbol):
            self._ingests[symbol].mark(ts, time.time_ns())

    async def keep(self) -> None:
        """Make the marks that are due, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            due = {symbol: ts for symbol in self._ingests if (ts := self._due(symbol))}
            for symbol in [symbol for symbol in due if not self._is_whole(symbol)]:
                await self._ask(symbol)
            if not any(map(self._is_whole, due)):
                continue
            if await self._line.answers():
                for symbol, ts in due.items():
                    self.told(symbol, ts)
            await asyncio.sleep(PING_S)

    def _is_whole(self, symbol: str) -> bool:
        """Return whether no trade of a market is missing that should have come by now."""
        whole = self._whole_since[symbol] == self._line.made
        return whole and len(self._ingests[symbol].held) == 0

    def _due(self, symbol: str) -> int:
        """Return the time of the mark that a market needs now, ns; 0 if it needs none."""
        now, most = steady_ns(), self._delays[symbol].most_ns
        ingest = self._ingests[symbol]
        if most is None or now - self._heard[symbol] > MAX_CARRY_S * NS_PER_S or len(ingest.held):
            return 0
        over = (now - most - MARGIN_NS - self._grace_ns) // NS_PER_S * NS_PER_S + self._grace_ns
        return over if ingest.would_close(over) else 0

    async def _ask(self, symbol: str) -> None:
        """Ask the venue for its newest trade, and see to the hole if it is not ours."""
        if not self._terms.proof:
            return  # its ids do not say what is missing: ``streaming.feed.overlap`` sees to that
        if (now := steady_ns()) - self._asked[symbol] < ASK_AGAIN_NS:
            return
        self._asked[symbol] = now
        made = self._line.made
        try:
            newest = await self._history.newest(symbol)
        except RepairError:
            return  # until a trade comes, nobody knows
        self._push(symbol, newest)
        self._whole_since[symbol] = made

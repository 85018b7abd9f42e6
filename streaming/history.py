"""Trades that a venue's REST interface still has: of a hole, and from before the first one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from streaming.errors import RepairError
from streaming.rest_client import RestClient
from streaming.ticks import VOID, Ticks, make_ticks
from streaming.venues import Rejected, Venue

PAGE_TRADES = 1000  # the most that one request may ask for

# A larger hole is not filled: it would hold the stream back too long.
MAX_REPAIR = 50_000

# How long a request may wait for its turn while the stream is held back. A hole is for good, and
# spoils a minute of windows anyway; of history, less will do.
REPAIR_PATIENCE_S = 65.0
HISTORY_PATIENCE_S = 10.0


class Fetched(NamedTuple):
    """What a venue had of the trades asked for.

    Attributes:
        ticks: ``(n,)`` in id order; rows that break an invariant are ``VOID``.
        short: why there are not more; "" if all are there.
    """

    ticks: Ticks
    short: str


class TradeHistory:
    """Fetches trades page by page; what has come is kept if a later page does not.

    Args:
        venue: its REST interface is asked.
        rest: makes the requests.
        latest: returns the latest time that a trade can have now, ns.
        count: is told how many rows came, and which of them were dropped.
    """

    def __init__(
        self,
        venue: Venue,
        rest: RestClient,
        latest: Callable[[], int],
        count: Callable[[int, Rejected], None],
    ) -> None:
        self._venue, self._rest = venue, rest
        self._latest, self._count = latest, count

    async def between(self, symbol: str, first: int, last: int) -> Fetched:
        """Return the trades with ids ``first`` to ``last``, both included."""
        if (n := last - first + 1) > MAX_REPAIR:
            return Fetched(make_ticks(0), f"{n} trades are missing, more than {MAX_REPAIR}")
        pages = [make_ticks(0)]
        while first <= last:
            n = min(PAGE_TRADES, last - first + 1)
            try:
                page = await self._page(symbol, first, n, REPAIR_PATIENCE_S)
            except RepairError as e:
                return Fetched(np.concatenate(pages), str(e))
            if len(page) == 0:
                break
            pages.append(page[page["id"] <= last])
            first = int(page["id"].max()) + 1
        return Fetched(np.concatenate(pages), "the venue does not have them")

    async def before(self, symbol: str, before: int, since: int, most: int) -> Fetched:
        """Return the trades with ids below ``before``, back to event time ``since``.

        Args:
            symbol: the market.
            before: the id that follows the newest trade wanted.
            since: the event time of the oldest trade wanted, ns.
            most: how many trades to fetch at most.
        """
        pages, short = [make_ticks(0)], ""
        while not short:
            if most <= 0:
                short = "the tick cache holds no more"
                break
            first = max(0, before - min(PAGE_TRADES, most))
            try:
                page = await self._page(symbol, first, before - first, HISTORY_PATIENCE_S)
            except RepairError as e:
                short = str(e)
                break
            page = page[page["id"] < before]
            pages.insert(0, page)
            times = page["ts_event"][page["flags"] & VOID == 0]
            if len(times) and times.min() < since:
                break
            before, most = int(page["id"][0]) if len(page) else 0, most - len(page)
            short = "the venue has no more" if before <= 0 else ""
        found = np.concatenate(pages)
        return Fetched(found[(found["ts_event"] >= since) | (found["flags"] & VOID != 0)], short)

    async def newest(self, symbol: str) -> Ticks:
        """Return the newest trade, ``(1,)``, or none, ``(0,)``.

        Raises:
            UnknownSymbolError: if the venue has no such symbol.
            RepairError: if the venue does not answer, or not with trades.
        """
        return (await self._page(symbol, None, 1, HISTORY_PATIENCE_S))[-1:]

    async def _page(self, symbol: str, first: int | None, limit: int, patience: float) -> Ticks:
        """Return one page, in id order, without ids below ``first``."""
        request = self._venue.history_request(symbol, first, limit)
        reply = await self._rest.get(request, patience)
        try:
            page, rejected = self._venue.parse_history(
                symbol, reply.body, time.time_ns(), self._latest()
            )
        except ValueError as e:
            text = f"{request.url}: not a list of trades: {reply.body[:60]!r}"
            raise RepairError(text) from e
        self._count(len(page), rejected)
        return np.sort(page[page["id"] >= (first or 0)], order="id")

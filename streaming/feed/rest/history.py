"""Trades that a venue's REST interface still has: of a hole, and from before the first one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from streaming.errors import RepairError
from streaming.feed.rest.rest_client import RestClient
from streaming.records import join
from streaming.ticks import NS_PER_MS, VOID, Ticks, make_ticks
from streaming.venues import Paging, Rejected, Span, Venue

# A larger hole is not filled: it would hold the stream back too long.
MAX_REPAIR = 50_000

# How long a request may wait for its turn while the stream is held back. A hole is for good, and
# spoils a minute of windows anyway; of history, less will do.
REPAIR_PATIENCE_S = 65.0
HISTORY_PATIENCE_S = 10.0

# The times of REST and of the stream may be rounded apart.
ROUNDING_NS = NS_PER_MS

NEWEST = Span(None, None, 0)


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

    @property
    def proves_loss(self) -> bool:
        """Whether a lost trade shows in the venue's ids."""
        return self._venue.terms.proof

    async def between(self, market: str, first: int, last: int, since: int) -> Fetched:
        """Return the trades with ids ``first`` to ``last``, both included, and maybe later ones.

        Args:
            market: whose trades.
            first: the lowest id wanted.
            last: the highest.
            since: the event time of the trade before the first, ns.
        """
        if (n := last - first + 1) > MAX_REPAIR:
            return Fetched(make_ticks(0), f"{n} trades are missing, more than {MAX_REPAIR}")
        if self._venue.terms.paging is Paging.BY_TIME:
            found = await self._upward(market, since - ROUNDING_NS, last, REPAIR_PATIENCE_S)
        elif self._venue.terms.paging is Paging.NEWEST:
            found = await self._shown(market)
        else:
            found = await self._downward(market, Span(first, last, since), n, REPAIR_PATIENCE_S)
        ticks = found.ticks[found.ticks["id"] >= first]
        return Fetched(ticks, found.short or "the venue does not have them")

    async def before(self, market: str, before: int, since: int, most: int) -> Fetched:
        """Return the trades with ids below ``before``, back to event time ``since``.

        Args:
            market: whose trades.
            before: the id that follows the newest trade wanted.
            since: the event time of the oldest trade wanted, ns.
            most: how many trades to fetch at most.
        """
        if self._venue.terms.paging is Paging.BY_TIME:
            found = await self._upward(market, since - 1, before - 1, HISTORY_PATIENCE_S)
        elif self._venue.terms.paging is Paging.NEWEST:
            found = await self._shown(market)
        else:
            span = Span(None, before - 1, since)
            found = await self._downward(market, span, most, HISTORY_PATIENCE_S)
        ticks = found.ticks
        wanted = (ticks["ts_event"] >= since) | (ticks["flags"] & VOID != 0)
        ticks = ticks[wanted & (ticks["id"] < before)]
        short = found.short or ("the tick cache holds no more" if len(ticks) > most else "")
        return Fetched(ticks[max(0, len(ticks) - most) :], short)

    async def newest(self, market: str) -> Ticks:
        """Return the newest trade, ``(1,)``, or none, ``(0,)``.

        Raises:
            UnknownSymbolError: if the venue has no such symbol.
            RepairError: if the venue does not answer, or not with trades; or if the market's
                trades are held back, so that nobody knows which is the newest.
        """
        if self._venue.holds(market):
            raise RepairError("its newest trades are being compared")
        return (await self._page(market, NEWEST, 1, HISTORY_PATIENCE_S))[-1:]

    async def shown(self, market: str) -> Ticks:
        """Return the newest page of trades, ``(n,)``; none where the venue holds them back.

        Raises:
            RepairError: if the venue does not answer, or not with trades.
        """
        return await self._page(market, NEWEST, self._venue.terms.page, HISTORY_PATIENCE_S)

    async def _downward(self, market: str, span: Span, most: int, patience: float) -> Fetched:
        """Return up to ``most`` trades of a span, from its last one down: newer pages come first.

        It ends at the span's first trade, or behind the first that is older than ``since``.
        """
        pages, short = [make_ticks(0)], ""
        first, last = span.first, -1 if span.last is None else span.last
        while last >= (first or 0) and not short:
            if most <= 0:
                short = "the tick cache holds no more"
                break
            n = min(self._venue.terms.page, most, last - (first or 0) + 1)
            block = Span(last - n + 1, last, span.since)
            try:
                page = await self._page(market, block, n, patience)
            except RepairError as e:
                short = str(e)
                break
            page = page[page["id"] <= last]
            pages.insert(0, page)
            if first is None and not len(page):
                short = "the venue has no more"
            elif first is None and self._reaches(page, span.since):
                break
            # Those of a hole may be missing at the venue too, more than a page of them.
            last = int(page["id"][0]) - 1 if len(page) else last - n
            most -= max(len(page), 0 if first is None else n)
            if first is None and last < 0:
                short = "the venue has no more"
        return Fetched(join(*pages), short)

    async def _upward(self, market: str, since: int, last: int, patience: float) -> Fetched:
        """Return the trades after ``since`` up to that with id ``last``, and what else came."""
        pages = [make_ticks(0)]
        newest = -1
        while newest < last:
            try:
                span = Span(None, last, since)
                page = await self._page(market, span, self._venue.terms.page, patience)
            except RepairError as e:
                return Fetched(join(*pages), str(e))
            page = page[page["id"] > newest]
            usable = page[page["flags"] & VOID == 0]
            if not len(usable):
                break
            pages.append(page)
            newest, since = int(page["id"][-1]), int(usable["ts_event"].max())
        return Fetched(join(*pages), "")

    async def _shown(self, market: str) -> Fetched:
        try:
            ticks = await self.shown(market)
        except RepairError as e:
            return Fetched(make_ticks(0), str(e))
        return Fetched(ticks, f"the venue shows its newest {self._venue.terms.page} only")

    def _reaches(self, page: Ticks, since: int) -> bool:
        times = page["ts_event"][page["flags"] & VOID == 0]
        return bool(len(times) and times.min() < since)

    async def _page(self, market: str, span: Span, limit: int, patience: float) -> Ticks:
        """Return one page in id order."""
        request = self._venue.history_request(market, span, limit)
        reply = await self._rest.get(request, patience)
        try:
            page, rejected = self._venue.parse_history(
                market, reply.body, time.time_ns(), self._latest()
            )
        except ValueError as e:
            text = f"{request.url}: not a list of trades: {reply.body[:60]!r}"
            raise RepairError(text) from e
        self._count(len(page), rejected)
        return page[np.argsort(page["id"], kind="stable")]

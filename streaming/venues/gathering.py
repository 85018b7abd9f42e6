"""Trades and quotes of a batch of frames, gathered row by row into what the feed takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.quotes import QUOTE, RECEIVED, Quotes, make_quotes
from streaming.ticks import NS_PER_MS, NS_PER_S, NS_PER_US, TICK, VOID, Ticks, faults, make_ticks
from streaming.venues import Decoded, Rejected

# What msgspec raises: the second for JSON nested without end.
UNREADABLE = (ValueError, RecursionError)

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
TradeId = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # which a float64 has exactly, as on tapes
Ms = Annotated[int, msgspec.Meta(ge=0, le=2**43)]  # to the year 2248, so that its ns fit
Time = Annotated[datetime, msgspec.Meta(tz=True)]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_US = 2**63 // NS_PER_US - 1

# Another connection may bring an update once more, or somewhat late; ids that are further back
# have been counted anew.
RECENT_UPDATES = 1_000_000
ANEW_NS = NS_PER_S  # so much later by the venue's own time, a lower id is of a new count
NONE = -RECENT_UPDATES, 0  # older than any
BOOK = ["ts_event", "bid", "ask", "bid_size", "ask_size"]


def ns_of(time: datetime) -> int:
    """Return a time with its zone as ns since the Unix epoch, as far as they fit.

    >>> ns_of(datetime(1970, 1, 1, 0, 0, 1, 5, UTC))
    1000005000
    """
    return min(max(0, (time - EPOCH) // timedelta(microseconds=1)), LAST_US) * NS_PER_US


def ns_of_ms(ms: int) -> int:
    """Return ms as ns."""
    return ms * NS_PER_MS


class Updates:
    """The newest update of each market's book, so that none is taken twice.

    An update may come again: sent anew where nothing has changed, or by a second connection. A
    venue may also count anew, from 1 or elsewhere: then lower ids have later times.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, int]] = {}  # id and time, ns
        self._last: dict[str, Quotes] = {}

    def fresh(self, market: str, quotes: Quotes) -> Quotes:
        """Return the quotes of a batch that have not come before, ``(n,)``."""
        ids = quotes["id"]
        if not ids.any():
            return self._later(market, quotes)
        if ids[0] > self._newest.get(market, NONE)[0] and (np.diff(ids) > 0).all():  # mostly
            self._newest[market] = int(ids[-1]), int(quotes["ts_event"][-1])
            return quotes
        timed = quotes["flags"] & RECEIVED == 0
        rows = zip(ids.tolist(), quotes["ts_event"].tolist(), timed.tolist(), strict=True)
        found: Quotes = quotes[[self._is_fresh(market, *row) for row in rows]]
        return found

    def _later(self, market: str, quotes: Quotes) -> Quotes:
        """Return the quotes of a venue without ids that are not older than those before them."""
        times = quotes["ts_event"]
        newest = np.maximum.accumulate(np.append(self._newest.get(market, NONE)[1], times))
        books = np.append(self._last.get(market, make_quotes(1)), quotes)[BOOK]
        self._newest[market], self._last[market] = (0, int(newest[-1])), quotes[-1:].copy()
        found: Quotes = quotes[(times >= newest[:-1]) & (books[1:] != books[:-1])]
        return found

    def _is_fresh(self, market: str, id: int, ts: int, timed: bool) -> bool:
        newest, newest_ts = self._newest.get(market, NONE)
        anew = id < newest and (
            id == 1 or newest - id >= RECENT_UPDATES or (timed and ts - newest_ts >= ANEW_NS)
        )
        if fresh := id > newest or anew:
            self._newest[market] = id, ts
        return fresh


class Gathered:
    """What a batch of frames contains.

    Args:
        markets: our name of each of the venue's symbols.
        updates: the updates of the venue's books.

    Attributes:
        rejected: the counts of what was dropped.
        reconnect: why the venue wants a new connection.
        complete, newest: as in ``Decoded``.
        refused: what the venue will not send.
    """

    def __init__(self, markets: Mapping[str, str], updates: Updates) -> None:
        self._markets, self._updates = markets, updates
        self._ticks: dict[str, list[tuple[float, ...]]] = {}
        self._quotes: dict[str, list[tuple[float, ...]]] = {}
        self.rejected: Rejected = Counter()
        self.reconnect = ""
        self.complete: dict[str, int] = {}
        self.newest: dict[str, int] = {}
        self.refused: list[str] = []

    def market(self, symbol: str) -> str | None:
        """Return our name of a symbol; count it as foreign and return None if there is none."""
        found = self._markets.get(symbol)
        if found is None:
            self.rejected["", "foreign_symbol"] += 1
        return found

    def reject(self, reason: str) -> None:
        """Count a frame that is dropped."""
        self.rejected["", reason] += 1

    def trade(
        self, market: str, id: int, ts: int, stamp: int, price: float, size: float, side: int
    ) -> None:
        """Take a trade; ``side`` is the taker's, times are ns."""
        row = (id, ts, stamp, price, size, side, 0)
        self._ticks.setdefault(market, []).append(row)

    def quote(
        self,
        market: str,
        id: int,
        ts: int | None,
        stamp: int,
        bid: tuple[float, float],
        ask: tuple[float, float],
    ) -> None:
        """Take the best bid and ask, each with its size; ``ts`` is None if the venue gives none."""
        after, flags = len(self._ticks.get(market, ())), RECEIVED if ts is None else 0
        row = (
            id, stamp if ts is None else ts, stamp, bid[0], ask[0], bid[1], ask[1], 0.0, 1, after,
            flags,
        )  # fmt: skip
        self._quotes.setdefault(market, []).append(row)

    def decoded(self, latest: int, *, one_order: bool = True) -> Decoded:
        """Return all of it.

        Args:
            latest: the latest time that a trade can have, ns.
            one_order: whether trades and quotes come over one connection. If not, they have no
                common order but that of their times: a quote of a trade's own time shows already
                what the trade took.
        """
        ticks = {
            market: mark_void(np.array(rows, TICK), market, self.rejected, latest)
            for market, rows in self._ticks.items()
        }
        quotes = {
            market: self._updates.fresh(market, np.array(rows, QUOTE))
            for market, rows in self._quotes.items()
        }
        if not one_order:
            for market, rows in quotes.items():
                order_by_time(rows, ticks.get(market, make_ticks(0)))
        return Decoded(
            ticks, self.rejected, self.reconnect, quotes, self.complete, self.newest,
            tuple(self.refused),
        )  # fmt: skip


def order_by_time(quotes: Quotes, ticks: Ticks) -> None:
    """Place quotes among the ticks of their batch by time, in place; those keep their order."""
    times, quoted = (np.maximum.accumulate(rows["ts_event"]) for rows in (ticks, quotes))
    quotes["after"] = np.searchsorted(times, quoted, side="right")


def mark_void(
    ticks: Ticks,
    market: str,
    rejected: Rejected,
    latest: int,
    not_market: NDArray[np.bool] | None = None,
) -> Ticks:
    """Mark the ticks that break an invariant ``VOID``, and count each under one reason.

    The sequencer gets them too: it must know that their ids were not lost.

    Args:
        ticks: ``(n,)``; marked in place.
        market: what to count under, with the reason.
        rejected: the counts, added to.
        latest: the latest time that a trade can have, ns.
        not_market: which trades no order made, ``(n,)``.
    """
    made = [] if not_market is None else [("not_market", not_market)]
    mark_faults(ticks, (*made, *faults(ticks, latest)), market, rejected)
    return ticks


def mark_faults(
    rows: NDArray[np.void],
    found: Iterable[tuple[str, NDArray[np.bool]]],
    market: str,
    rejected: Rejected,
) -> None:
    """Mark ticks or quotes with a fault ``VOID``, in place; count each under its first reason.

    Args:
        rows: ``(n,)``.
        found: each reason, and which of the rows it concerns, ``(n,)``.
        market: what to count under, with the reason.
        rejected: the counts, added to.
    """
    for reason, wrong in found:
        new = wrong & (rows["flags"] & VOID == 0)
        if new.any():
            rejected[market, reason] += int(np.count_nonzero(new))
            rows["flags"][new] |= VOID

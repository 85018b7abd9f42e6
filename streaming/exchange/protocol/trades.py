"""Trades as the exchange holds them: ticks with the time they are due and their aggregate.

An aggregate is a run of trades of one ms, side and price with consecutive ids. Which trades
belong together is decided here, for a whole chunk at once, so that it does not depend on how
the trades are batched when they are sent: the last trade of an aggregate carries all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.ticks import NS_PER_MS, Ticks

TRADE = np.dtype(
    [
        ("id", "<i8"),
        ("ts_event", "<i8"),  # ns, Unix epoch
        ("due", "<i8"),  # market time at which it is sent, ns
        ("price", "<f8"),
        ("size", "<f8"),
        ("side", "i1"),  # the taker's
        ("closes", "?"),  # whether it is the last trade of its aggregate
        ("agg_id", "<i8"),
        ("agg_first", "<i8"),  # the id of the aggregate's first trade
        ("agg_size", "<f8"),  # known where ``closes``
    ],
    align=True,
)

Trades = NDArray[np.void]

FIRST_AGG_ID = 1


def with_aggregates(ticks: Ticks, due: NDArray[np.int64], agg_id: int = FIRST_AGG_ID) -> Trades:
    """Return ``ticks`` ``(n,)`` as trades due at ``due`` ``(n,)``, aggregates from ``agg_id`` on.

    No aggregate goes on past the end of ``ticks``.
    """
    trades = np.zeros(len(ticks), TRADE)
    if len(ticks) == 0:
        return trades
    for name in ("id", "ts_event", "price", "size", "side"):
        trades[name] = ticks[name]
    trades["due"] = due
    opens = np.ones(len(ticks), bool)
    ms = ticks["ts_event"] // NS_PER_MS
    opens[1:] = (np.diff(ms) != 0) | (np.diff(ticks["id"]) != 1)
    for name in ("side", "price"):
        opens[1:] |= ticks[name][1:] != ticks[name][:-1]
    start = np.flatnonzero(opens)
    which = np.cumsum(opens) - 1
    trades["closes"] = np.append(opens[1:], True)
    trades["agg_id"] = agg_id + which
    trades["agg_first"] = ticks["id"][start][which]
    # Sizes have 8 decimals at most: rounding takes back what adding floats has put on.
    trades["agg_size"][trades["closes"]] = np.round(np.add.reduceat(ticks["size"], start), 8)
    return trades


class History:
    """The newest trades of one symbol that have happened, for REST.

    Args:
        capacity: the least number that is kept.
    """

    def __init__(self, capacity: int = 200_000) -> None:
        self.capacity = capacity
        self._rows = np.zeros(2 * capacity, TRADE)
        self._stop = 0

    def append(self, trades: Trades) -> None:
        """Add trades that have just happened."""
        if len(trades) >= self.capacity:
            trades, self._stop = trades[-self.capacity :], 0
        if self._stop + len(trades) > len(self._rows):
            kept = self._rows[self._stop - self.capacity : self._stop].copy()
            self._rows[: self.capacity] = kept
            self._stop = self.capacity
        self._rows[self._stop : self._stop + len(trades)] = trades
        self._stop += len(trades)

    @property
    def trades(self) -> Trades:
        """Return a view of them, oldest first, until the next ``append``."""
        return self._rows[: self._stop]

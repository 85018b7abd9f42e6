"""Every update of a market's best bid and ask -> what is kept of a batch of them. Pure.

What is kept is the last update of each second in the batch, with the order-flow imbalance summed
over all: most updates change a size only, some 200 come in a second, and nothing that is
learned from is lost by it.
"""

from __future__ import annotations

import numpy as np

from streaming.quotes import NO_QUOTES, Quotes, faults, imbalances
from streaming.records import copied, join
from streaming.ticks import NS_PER_S, VOID
from streaming.venues import Rejected
from streaming.venues.gathering import mark_faults

SAID = ["id", "bid", "ask", "bid_size", "ask_size"]


class Conflation:
    """One market's updates, batch by batch."""

    def __init__(self) -> None:
        self._newest = NO_QUOTES  # the newest update that is no void

    def take(self, updates: Quotes, latest: int, symbol: str, rejected: Rejected) -> Quotes:
        """Return what is kept of a batch.

        Args:
            updates: ``(n,)`` in the order received.
            latest: the latest time that an update can have, ns.
            symbol: what to count under, with the reason.
            rejected: counts what is dropped, added to.
        """
        updates = copied(updates)
        mark_faults(updates, faults(updates, latest), symbol, rejected)
        updates = self._changed(updates[updates["flags"] & VOID == 0])
        if len(updates) == 0:
            return updates
        updates["ofi"] = imbalances(updates, self._newest)
        self._newest = copied(updates[-1:])
        second = updates["ts_event"] // NS_PER_S
        last = np.append(second[1:] != second[:-1], True)  # of its second, or of the batch
        kept: Quotes = updates[last]
        starts = np.append(0, np.flatnonzero(last[:-1]) + 1)
        for name in ("ofi", "updates"):
            kept[name] = np.add.reduceat(updates[name], starts)
        return kept

    def _changed(self, updates: Quotes) -> Quotes:
        """Leave out what says the same as the update before: venues repeat it as a sign of life."""
        rows = join(self._newest, updates)
        changed = np.zeros(len(rows), bool)
        changed[: 1 - len(self._newest)] = True  # nothing was said before the first
        for name in SAID:
            said = rows[name]
            changed[1:] |= said[1:] != said[:-1]
        kept: Quotes = updates[changed[len(self._newest) :]]
        return kept

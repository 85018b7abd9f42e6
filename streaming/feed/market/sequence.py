"""One symbol's trades in id order, each once, with what is missing between them.

    received ticks -> Sequencer -> ticks to keep, in id order
                          └─ missing: ids to ask the venue for

Pure. Venues number trades one by one, but do not promise it: a jump holds back what follows
until the caller has either filled it or given up, which marks the next tick ``AFTER_GAP``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.records import join
from streaming.ticks import AFTER_GAP, VOID, Ticks, make_ticks

# So many old ids in rising order with new times, and nothing new between them, mean that the
# venue has started to count again (Binance's testnet does so about monthly).
RECOUNT_AFTER = 20

# Void ticks remembered until their neighbours have come: as many as a long hole can hold back.
VOID_KEPT = 100_000


class Recount(NamedTuple):
    """The venue has started to number its trades anew.

    Attributes:
        last_id: the newest id that was kept under the old count.
        first_id: the first id seen under the new one.
        dropped: trades held back behind a hole in the old count, which cannot be filled any more.
    """

    last_id: int
    first_id: int
    dropped: int


class Sequencer:
    """Order, dedupe and find gaps.

    Void ticks count as received, so that a bad price is not taken for a lost trade. They never open
    a hole themselves, since their id may be as wrong as the rest.

    Args:
        last_id: id of the newest trade already kept; None if there is none yet.
        wait_for_history: hold the first trades until ``begin`` brings those before them.
        newest_ts: the latest event time already kept, ns; -1 if there is none yet.
    """

    def __init__(
        self,
        last_id: int | None = None,
        *,
        wait_for_history: bool = False,
        newest_ts: int = -1,
    ) -> None:
        self.last_id = last_id
        self.duplicates = 0
        self._recounts: list[Recount] = []
        self.held = make_ticks(0)  # held back until a hole is filled or given up
        self._wait_for_history = wait_for_history and last_id is None
        self._newest_ts = newest_ts
        self._after_gap = False  # a hole was given up; the next trade released is behind it
        self._void = make_ticks(0)
        self._old = make_ticks(0)  # recent trades with old ids but new times

    @property
    def missing(self) -> tuple[int, int] | None:
        """First and last id that must be filled or given up before anything is released."""
        if self.last_id is None or not len(self.held):
            return None
        return self.last_id + 1, int(self.held["id"][0]) - 1

    @property
    def newest_id(self) -> int | None:
        """The id of the newest trade received, kept or not; None if there is none yet."""
        ids = [*self.held["id"][-1:].tolist(), *self._void["id"][-1:].tolist()]
        return max([*ids, self.last_id] if self.last_id is not None else ids, default=None)

    def take_recounts(self) -> list[Recount]:
        """Return the recounts since the last call."""
        recounts, self._recounts = self._recounts, []
        return recounts

    def push(self, ticks: Ticks) -> Ticks:
        """Take trades as received; return those to keep now, in id order."""
        void = ticks["flags"] & VOID != 0
        if void.any():
            self._void = join(self._void[-VOID_KEPT:], ticks[void])
            ticks = ticks[~void]
        ticks = self._drop_old(ticks)
        if len(ticks):
            if len(self.held):
                ticks = join(self.held, ticks)
            self.held = self._unique(ticks)
        return self._release()

    def begin(self, history: Ticks) -> Ticks:
        """Start with trades from before the first streamed one (maybe none)."""
        self._wait_for_history = False
        if len(self.held):
            history = history[history["id"] < self.held["id"][0]]
        return self.push(history)

    def fill(self, ticks: Ticks) -> Ticks:
        """Take what the venue still had of the missing trades: of this hole and of later ones."""
        if self.missing is None:
            return make_ticks(0)
        ids, held = ticks["id"], self.held["id"]
        inside = (ids >= self.missing[0]) & (ids < held[-1])
        return self.push(ticks[inside & ~np.isin(ids, held)])

    def give_up(self) -> Ticks:
        """Treat the hole as final: mark it and go on behind it."""
        if self.missing is None:
            return make_ticks(0)
        self._after_gap = True
        self.last_id = int(self.held["id"][0]) - 1
        return self._release()

    def _unique(self, ticks: Ticks) -> Ticks:
        """Sort by id and keep the first received of each id."""
        if (np.diff(ticks["id"]) > 0).all():
            return ticks
        _, first = np.unique(ticks["id"], return_index=True)
        self.duplicates += len(ticks) - len(first)
        return ticks[first]

    def _release(self) -> Ticks:
        """Hand out held trades up to the first hole."""
        if self._wait_for_history or not len(self.held):
            return make_ticks(0)
        if self.last_id is None:
            self.last_id = int(self.held["id"][0]) - 1
        ticks = self._with_void(self.last_id)
        holes = np.flatnonzero(np.diff(ticks["id"], prepend=self.last_id) != 1)
        n = int(holes[0]) if len(holes) else len(ticks)
        ready, self.held = ticks[:n], ticks[n:]
        if n:
            self.last_id = int(ready["id"][-1])
            self._newest_ts = max(self._newest_ts, int(ready["ts_event"].max()))
        void = ready["flags"] & VOID != 0
        kept: Ticks = ready[~void] if void.any() else ready
        if self._after_gap and len(kept):
            kept["flags"][0] |= AFTER_GAP
            self._after_gap = False
        return kept

    def _with_void(self, last_id: int) -> Ticks:
        """Return the held trades and the void ones that lie between them."""
        if not len(self._void):
            return self.held
        ids, newest = self._void["id"], self.held["id"][-1]
        usable = self._void[(ids > last_id) & (ids < newest)]
        self._void = self._void[ids >= newest]
        if not len(usable):
            return self.held
        ticks = join(self.held, usable)
        return ticks[np.unique(ticks["id"], return_index=True)[1]]

    def _drop_old(self, ticks: Ticks) -> Ticks:
        if self.last_id is None or not len(ticks):
            return ticks
        fresh: NDArray[np.bool] = ticks["id"] > self.last_id
        if fresh.all():
            self._old = make_ticks(0)
            return ticks
        old = ticks[~fresh]
        self.duplicates += len(old)
        if fresh.any():
            self._old = make_ticks(0)
            return ticks[fresh]
        self._old = join(self._old, old[old["ts_event"] > self._newest_ts])
        rising = (np.diff(self._old["id"]) > 0).all()
        if len(self._old) < RECOUNT_AFTER or not rising:
            self._old = self._old if rising else make_ticks(0)
            return ticks[:0]
        return self._recount(self.last_id)

    def _recount(self, last_id: int) -> Ticks:
        """Follow the venue's new count from the first trade of it that was seen."""
        ticks, self._old = self._old, make_ticks(0)
        first_id = int(ticks["id"][0])
        self._recounts.append(Recount(last_id, first_id, len(self.held)))
        self.duplicates -= len(ticks)
        ticks["flags"][0] |= AFTER_GAP
        self.last_id = first_id - 1
        self.held = make_ticks(0)
        return ticks

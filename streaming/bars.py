"""Ticks and quotes -> bars. Pure; the only owner of the bar boundary.

A bar covers ``[ts_open, ts_open + length)`` by event time; bars begin on multiples of their length,
1 s by default. Its content depends on the rows of both streams and their order alone, never on how
they were grouped into batches or on the wall clock: it is final once a tick or a mark at least
``grace`` past its end has been seen, or a quote a second further. A tick or a quote that comes
after that is late: marked and counted, never applied.

Sums run strictly in the order of the rows (``ufunc.at``), so that any batching gives the same bits.

Where the venue does not tell the taker's side, the tick rule does: a trade above the one before
it was bought, one below it sold, one at the same price was as the one before.
Source: C. Lee and M. Ready, Inferring trade direction from intraday data (1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.carry import carry_quotes, carry_trades
from streaming.forward_fill import forward_fill
from streaming.merged import Merged
from streaming.quotes import LATE as LATE_QUOTE
from streaming.quotes import MARK, NO_QUOTES, QUOTED, Quotes
from streaming.records import copied, join
from streaming.ticks import AFTER_GAP, LATE, NS_PER_S, Ticks

BAR = np.dtype(
    [
        ("ts_open", "<i8"),  # ns, UTC
        ("open", "<f8"),  # quote currency, as high, low, close
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),  # base currency
        ("signed_volume", "<f8"),  # base currency bought less sold by takers
        ("notional", "<f8"),  # quote currency, sum of price x size
        ("trades", "<i8"),
        ("gap", "<i8"),  # 0, or flags: ``MISSING`` and ``BROKEN``; learned from and scored where 0
        ("final_seq", "<i8"),  # the bar is known once this many ticks have been seen, and ...
        ("bid", "<f8"),  # the best bid at the bar's end, or ``last_sold`` where not ``quoted``
        ("ask", "<f8"),  # the best ask, or ``last_bought``
        ("last_sold", "<f8"),  # price of the last trade that a taker sold, in this bar or before
        ("last_bought", "<f8"),  # price of the last trade that a taker bought
        ("bid_size", "<f8"),  # base currency at the best bid and ask; 0 where not ``quoted``
        ("ask_size", "<f8"),
        ("ofi", "<f8"),  # base currency, the order-flow imbalance of the bar's updates of the book
        ("updates", "<i8"),  # how many there were
        ("quoted", "<i8"),  # 1 if bid and ask are those of a quote, in this bar or before
        ("final_quote", "<i8"),  # ... this many rows of the quote ring
    ]
)

Bars = NDArray[np.void]

# The flags of a bar over which nothing is learned or scored.
MISSING = 1  # trades are missing in this bar or between it and the one before
BROKEN = 2  # a price is too far from the bar before for a move: it is a wrong print

# A longer silence is a closed market: a break in the series, not filled with carried bars.
MAX_CARRY_S = 3600

# Quotes may overtake trades, on a faster connection or in the venue itself: one alone makes a bar
# final only so much later.
OVERTAKING_NS = NS_PER_S


class BarBuilder:
    """Fold one symbol's ticks and quotes, batch by batch, into bars.

    Args:
        grace_ns: how far past a bar's end a row must be to make the bar final, ns.
        seq: the number of the first tick to come.
        quote_seq: the number of the first row of the quote ring to come.
        bar_ns: the length of a bar, ns.

    >>> from streaming.ticks import make_ticks
    >>> ticks = make_ticks(3)
    >>> ticks["ts_event"] = [5_000_000_000, 5_900_000_000, 6_000_000_000]
    >>> ticks["price"], ticks["size"] = [5.0, 4.0, 6.0], 1.0
    >>> bars = BarBuilder().update(ticks)
    >>> bars[["open", "low", "close", "volume", "final_seq"]].tolist()
    [(5.0, 4.0, 4.0, 2.0, 3)]
    """

    def __init__(
        self, grace_ns: int = 0, seq: int = 0, quote_seq: int = 0, bar_ns: int = NS_PER_S
    ) -> None:
        self.grace_ns, self.bar_ns = grace_ns, bar_ns
        self._seq, self._quote_seq = seq, quote_seq

        # Consecutive bars that may still change.
        self._open = np.zeros(0, BAR)
        self._newest_ts = -1  # the latest event time seen since the first tick, ns
        self._newest_tick_ts = -1
        self._last = np.zeros(1, BAR)  # the last final bar
        self._last_price, self._last_side = 0.0, 0  # the last applied tick's
        # Rows that change open bars only, not folded yet; and the latest time that they tell, ns.
        self._held: list[tuple[Ticks, Quotes]] = []
        self._held_ts = -1

    @property
    def newest_ts(self) -> int:
        """The latest event time seen, ns; -1 before the first tick."""
        return max(self._newest_ts, self._held_ts)

    def update(self, ticks: Ticks, quotes: Quotes = NO_QUOTES) -> Bars:
        """Add rows, mark the late ones in place, and return the bars now final.

        Args:
            ticks: ``(n,)`` of dtype ``TICK``, in the venue's order; ``flags`` is changed. A tick
                that is marked as late already stays it.
            quotes: ``(m,)`` of dtype ``QUOTE`` that came between them; ``flags`` is changed.
        """
        if self._hold(ticks, quotes):
            return np.zeros(0, BAR)
        self._fold_held()
        return self._add(ticks, quotes)

    def _hold(self, ticks: Ticks, quotes: Quotes) -> bool:
        """Hold rows until a bar is final, if none of them makes one final, is late or flagged.

        So a bar is folded once, and not once for each of its batches.
        """
        if self._newest_ts < 0 or len(self._open) == 0 or self.bar_ns > MAX_CARRY_S * NS_PER_S:
            return False
        if ticks["flags"].any() or quotes["flags"].any():
            return False
        spans = [
            (int(times.min()), int(times.max()) - ahead)
            for times, ahead in ((ticks["ts_event"], 0), (quotes["ts_event"], OVERTAKING_NS))
            if len(times)
        ]
        if not spans:
            return True
        boundary = (self._newest_ts - self.grace_ns) // self.bar_ns  # bars below are final
        first, newest = min(start for start, _ in spans), max(told for _, told in spans)
        late = first < max(boundary * self.bar_ns, int(self._open["ts_open"][0]))
        if late or (newest - self.grace_ns) // self.bar_ns > boundary:
            return False
        self._held.append((copied(ticks), copied(quotes)))
        self._held_ts = max(self._held_ts, newest)
        return True

    def _fold_held(self) -> None:
        if self._held:
            ticks, quotes = (join(*part) for part in zip(*self._held, strict=True))
            self._held, self._held_ts = [], -1
            self._add(ticks, quotes)

    def _add(self, ticks: Ticks, quotes: Quotes) -> Bars:
        """Fold rows; return the bars now final."""
        rows = self._begin(Merged.of(ticks, quotes, self._seq))
        if len(rows) == 0:
            return np.zeros(0, BAR)
        told = np.where(rows.overtakes, rows.times - OVERTAKING_NS, rows.times)
        newest = np.maximum.accumulate(np.maximum(told, self._newest_ts))
        jumps = np.flatnonzero(np.diff(newest, prepend=self._newest_ts) > MAX_CARRY_S * NS_PER_S)
        if self._newest_ts < 0:
            jumps = jumps[jumps > 0]  # the first tick of all starts the series
        if len(jumps) == 0:
            return self._fold(rows, newest)
        parts = zip(rows.split(jumps), np.split(newest, jumps), strict=True)
        return join(*(self._fold(part, part_newest) for part, part_newest in parts))

    def _begin(self, rows: Merged) -> Merged:
        """Return the rows from the first tick of all on: a quote before it only says what was."""
        if self._newest_ts >= 0 or len(rows.quotes) == 0:
            return rows
        n = int(np.argmin(rows.is_quote)) if len(rows.ticks) else len(rows)
        before, rows = rows.split([n])
        told = before.quotes[before.quotes["flags"] & MARK == 0][-1:]
        if len(told):
            for name in QUOTED:
                self._last[name] = told[name]
            self._last["quoted"] = 1
        self._quote_seq += len(before.quotes)
        return rows

    def forming(self) -> Bars:
        """Return a copy of the bars that are not final yet, oldest first."""
        self._fold_held()
        return _carry(self._open.copy(), self._last)

    def _fold(self, rows: Merged, newest: NDArray[np.int64]) -> Bars:
        """Fold rows without a long silence inside (one before them is allowed)."""
        if len(rows) == 0:
            return np.zeros(0, BAR)
        ticks, is_quote = rows.ticks, rows.is_quote
        lost = not is_quote[0] and bool(ticks["flags"][0] & AFTER_GAP)
        broken = self._close_series(int(newest[0]), lost=lost, by_quote=bool(is_quote[0]))
        place = rows.times // self.bar_ns  # bars are numbered from the epoch on
        boundary = (newest - self.grace_ns) // self.bar_ns  # bars below are final
        opens = int(newest[0]) // self.bar_ns  # where a series begins
        first = int(self._open["ts_open"][0]) // self.bar_ns if len(self._open) else opens
        late = place < np.maximum(boundary, first)
        self._grow(first, max(int(newest[-1]) // self.bar_ns, int(place.max())))
        at = place - first
        self._add_ticks(ticks, at[~is_quote], late[~is_quote])
        self._add_quotes(rows.quotes, at[is_quote], late[is_quote])
        self._mark_gaps(ticks, first, np.concatenate([[first], boundary[:-1]])[~is_quote])
        self._newest_ts = int(newest[-1])
        final = self._take_final(first, boundary, is_quote)
        self._seq += len(ticks)
        self._quote_seq += len(rows.quotes)
        return join(broken, final)

    def _take_final(
        self, first: int, boundary: NDArray[np.int64], is_quote: NDArray[np.bool]
    ) -> Bars:
        """Return the open bars, from place ``first`` on, that are final now."""
        n = max(0, int(boundary[-1]) - first)
        if n == 0:
            return np.zeros(0, BAR)
        final = _carry(self._open[:n], self._last)
        # The row that made each final, and how many of each stream there were then.
        by = np.searchsorted(boundary, first + np.arange(n), side="right")
        quotes = np.cumsum(is_quote)[by]
        final["final_seq"] = self._seq + by + 1 - quotes
        final["final_quote"] = self._quote_seq + quotes
        self._open = copied(self._open[n:])
        self._last = copied(final[-1:])
        return final

    def _close_series(self, ts: int, *, lost: bool, by_quote: bool) -> Bars:
        """Make the open bars final if ``ts`` comes after too long a silence to carry over.

        Args:
            ts: event time of the row that comes, ns.
            lost: trades are missing since the last tick, so its bar may lack some too.
            by_quote: the row is a quote.
        """
        if self._newest_ts < 0 or ts - self._newest_ts <= MAX_CARRY_S * NS_PER_S:
            return np.zeros(0, BAR)
        final = self.forming()
        final["final_seq"] = self._seq + (not by_quote)
        final["final_quote"] = self._quote_seq + by_quote
        final["gap"][-1] |= MISSING * lost
        self._last = final[-1:].copy()
        self._last["quoted"] = 0  # what was quoted then says nothing now
        self._open = np.zeros(1, BAR)
        self._open["ts_open"], self._open["gap"] = ts // self.bar_ns * self.bar_ns, MISSING
        return final

    def _grow(self, first: int, last: int) -> None:
        """Open a bar for each place from ``first`` to ``last`` that has none yet."""
        last = max(last, first + len(self._open) - 1)
        grown = np.zeros(last - first + 1, BAR)
        grown["ts_open"] = np.arange(first, last + 1) * self.bar_ns
        grown[: len(self._open)] = self._open
        self._open = grown

    def _add_ticks(self, ticks: Ticks, at: NDArray[np.int64], late: NDArray[np.bool]) -> None:
        """Apply ticks to the open bars ``at`` (indices into ``_open``), in order."""
        late = late | (ticks["flags"] & LATE != 0)
        if late.any():
            ticks["flags"][late] |= LATE
            ticks, at = ticks[~late], at[~late]
        if len(ticks) == 0:
            return
        bars, price, size = self._open, ticks["price"], ticks["size"]
        side = self._taker_sides(ticks)
        first_tick = np.full(len(bars), -1)
        first_tick[at[::-1]] = np.arange(len(at) - 1, -1, -1)  # of repeated indices the last stays
        fresh = (bars["trades"] == 0) & (first_tick >= 0)
        for name in ("open", "high", "low"):
            bars[name][fresh] = price[first_tick[fresh]]
        np.maximum.at(bars["high"], at, price)
        np.minimum.at(bars["low"], at, price)
        bars["close"][at] = price
        np.add.at(bars["volume"], at, size)
        np.add.at(bars["signed_volume"], at, size * side)
        np.add.at(bars["notional"], at, price * size)
        np.add.at(bars["trades"], at, 1)
        bars["last_sold"][at[side < 0]] = price[side < 0]
        bars["last_bought"][at[side > 0]] = price[side > 0]

    def _add_quotes(self, quotes: Quotes, at: NDArray[np.int64], late: NDArray[np.bool]) -> None:
        """Apply quotes to the open bars ``at``, in order; the last of a bar is its own."""
        if len(quotes) == 0:
            return
        late = late | (quotes["flags"] & LATE_QUOTE != 0)
        quotes["flags"][late & (quotes["flags"] & MARK == 0)] |= LATE_QUOTE
        told = ~late & (quotes["flags"] & MARK == 0)
        quotes, at, bars = quotes[told], at[told], self._open
        for name in QUOTED:
            bars[name][at] = quotes[name]
        np.add.at(bars["ofi"], at, quotes["ofi"])
        np.add.at(bars["updates"], at, quotes["updates"])
        bars["quoted"][at] = 1

    def _taker_sides(self, ticks: Ticks) -> NDArray[np.int64]:
        """Return +1 bought or -1 sold for each tick; 0 before the first side or move."""
        before = self._last_price or ticks["price"][0]
        moved = np.sign(np.diff(ticks["price"], prepend=before)).astype(np.int64)
        side = np.where(ticks["side"] != 0, ticks["side"], moved)
        side = forward_fill(side, self._last_side)
        self._last_price, self._last_side = float(ticks["price"][-1]), int(side[-1])
        return side

    def _mark_gaps(self, ticks: Ticks, first: int, open_from: NDArray[np.int64]) -> None:
        """Flag the bars in which trades may be missing: from the tick before a gap to the next.

        A bar that is final already stays as it is: the next one is flagged instead.

        Args:
            ticks: ``(n,)`` the ticks of a batch.
            first: the place of the first open bar.
            open_from: ``(n,)`` the first place that was not final when each tick came.
        """
        if len(ticks) == 0:
            return
        newest = np.maximum.accumulate(np.maximum(ticks["ts_event"], self._newest_tick_ts))
        places = np.concatenate([[self._newest_tick_ts], newest]) // self.bar_ns
        for i in np.flatnonzero(ticks["flags"] & AFTER_GAP):
            least = max(int(open_from[i]), first)
            since = max(int(places[i] if places[i] >= 0 else places[i + 1]), least) - first
            self._open["gap"][since : max(int(places[i + 1]), least) - first + 1] |= MISSING
        self._newest_tick_ts = int(newest[-1])


def bars_of(
    ticks: Ticks, quotes: Quotes = NO_QUOTES, *, grace_ns: int = 0, bar_ns: int = NS_PER_S
) -> Bars:
    """Return all bars of ``ticks`` and ``quotes``; the last ones are not final yet.

    It does in one call what ``BarBuilder`` does batch by batch.
    """
    builder = BarBuilder(grace_ns, bar_ns=bar_ns)
    final = builder.update(ticks.copy(), quotes.copy())
    return join(final, builder.forming())


def _carry(bars: Bars, last: Bars) -> Bars:
    """Fill in place what bars lack, and flag the broken ones; ``last`` is the bar before."""
    bars["gap"][carry_trades(bars, last)] |= BROKEN
    carry_quotes(bars, last)
    return bars

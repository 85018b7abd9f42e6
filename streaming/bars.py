"""Ticks -> 1-second bars. Pure; the only owner of the bar boundary.

A bar covers ``[ts_open, ts_open + 1 s)`` by event time. Its content depends on the ticks and
their order alone, never on how they were grouped into batches or on the wall clock: it is final
once a tick at least ``grace`` past its end has been seen. A tick that comes after that is
late: marked and counted, never applied. A second without trades carries the last close with
volume 0.

A wrong print (a price far off by a slip of a finger or a feed) would rule everything that is summed
over bars. So a bar with such a price is flagged as broken, and the bar that comes back from it is
too. Its prices stay as they were traded.

Sums run strictly in tick order (``ufunc.at``), so that any batching gives the same bits.

Where the venue does not tell the taker's side, the tick rule does: a trade above the one before
it was bought, one below it sold, one at the same price was as the one before.
Source: C. Lee and M. Ready, Inferring trade direction from intraday data (1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.forward_fill import forward_fill
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
        ("final_seq", "<i8"),  # the bar is known once this many ticks have been seen
        ("bid", "<f8"),  # price of the last trade that a taker sold, in this bar or before
        ("ask", "<f8"),  # price of the last trade that a taker bought
    ]
)

Bars = NDArray[np.void]

# The flags of a bar over which nothing is learned or scored.
MISSING = 1  # trades are missing in this bar or between it and the one before
BROKEN = 2  # a price is too far from the bar before for a move: it is a wrong print

# The largest plausible move of one second, as a factor. Recorded markets come to 1.02; where a
# price is only one of its steps high, one step up is 2.
MOST_TIMES = 2.0

# A longer silence is taken as a break in the series, not filled with carried bars.
MAX_CARRY_S = 24 * 3600


class BarBuilder:
    """Fold one symbol's ticks, batch by batch, into bars.

    Args:
        grace_ns: how far past a bar's end a tick must be to make the bar final, ns.
        seq: the seq of the first tick to come.

    >>> from streaming.ticks import make_ticks
    >>> ticks = make_ticks(3)
    >>> ticks["ts_event"] = [5_000_000_000, 5_900_000_000, 6_000_000_000]
    >>> ticks["price"], ticks["size"] = [5.0, 4.0, 6.0], 1.0
    >>> bars = BarBuilder().update(ticks)
    >>> bars[["open", "low", "close", "volume", "final_seq"]].tolist()
    [(5.0, 4.0, 4.0, 2.0, 3)]
    """

    def __init__(self, grace_ns: int = 0, seq: int = 0) -> None:
        self.grace_ns = grace_ns
        self._seq = seq

        # Bars of consecutive seconds that may still change.
        self._open = np.zeros(0, BAR)
        self._newest_ts = -1  # the latest event time seen, ns
        self._last = np.zeros(1, BAR)  # the last final bar
        self._last_price, self._last_side = 0.0, 0  # the last applied tick's

    def update(self, ticks: Ticks) -> Bars:
        """Add ticks, mark the late ones in place, and return the bars now final.

        Args:
            ticks: ``(n,)`` of dtype ``TICK``, in the venue's order; ``flags`` is changed.
        """
        if len(ticks) == 0:
            return np.zeros(0, BAR)
        newest = np.maximum.accumulate(np.maximum(ticks["ts_event"], self._newest_ts))
        jumps = np.flatnonzero(np.diff(newest, prepend=self._newest_ts) > MAX_CARRY_S * NS_PER_S)
        if self._newest_ts < 0:
            jumps = jumps[jumps > 0]  # the first tick of all starts the series
        done = [
            self._fold(part, part_newest)
            for part, part_newest in zip(
                np.split(ticks, jumps), np.split(newest, jumps), strict=True
            )
        ]
        return np.concatenate(done)

    def forming(self) -> Bars:
        """Return a copy of the bars that are not final yet, oldest first."""
        return _carry(self._open.copy(), self._last)

    def _fold(self, ticks: Ticks, newest: NDArray[np.int64]) -> Bars:
        """Fold ticks without a long silence inside (one before them is allowed)."""
        if len(ticks) == 0:
            return np.zeros(0, BAR)
        lost = bool(ticks["flags"][0] & AFTER_GAP)
        broken = self._close_series(int(newest[0]), lost)
        second = ticks["ts_event"] // NS_PER_S
        boundary = (newest - self.grace_ns) // NS_PER_S  # seconds below are final
        first = int(self._open["ts_open"][0]) // NS_PER_S if len(self._open) else int(second[0])
        late = second < np.maximum(boundary, first)
        ticks["flags"][late] |= LATE
        self._grow(first, int(newest[-1]) // NS_PER_S)
        at = second - first
        self._add(*((ticks[~late], at[~late]) if late.any() else (ticks, at)))
        self._mark_gaps(ticks, newest)
        self._newest_ts = int(newest[-1])
        n_final = max(0, int(boundary[-1]) - first)
        final = _carry(self._open[:n_final], self._last)
        final["final_seq"] = (
            self._seq + 1 + np.searchsorted(boundary, first + np.arange(n_final), side="right")
        )
        self._open = self._open[n_final:].copy()
        self._last = final[-1:].copy() if n_final else self._last
        self._seq += len(ticks)
        return np.concatenate([broken, final])

    def _close_series(self, ts: int, lost: bool) -> Bars:
        """Make the open bars final if ``ts`` comes after too long a silence to carry over.

        ``lost``: trades are missing since the last tick, so its bar may lack some too.
        """
        if self._newest_ts < 0 or ts - self._newest_ts <= MAX_CARRY_S * NS_PER_S:
            return np.zeros(0, BAR)
        final = self.forming()
        final["final_seq"] = self._seq + 1
        final["gap"][-1] |= MISSING * lost
        self._last = final[-1:]
        self._open = np.zeros(1, BAR)
        self._open["ts_open"], self._open["gap"] = ts // NS_PER_S * NS_PER_S, MISSING
        return final

    def _grow(self, first: int, last: int) -> None:
        """Open a bar for each second from ``first`` to ``last`` that has none yet."""
        grown = np.zeros(last - first + 1, BAR)
        grown["ts_open"] = np.arange(first, last + 1) * NS_PER_S
        grown[: len(self._open)] = self._open
        self._open = grown

    def _add(self, ticks: Ticks, at: NDArray[np.int64]) -> None:
        """Apply ticks to the open bars ``at`` (indices into ``_open``), in order."""
        bars, price, size = self._open, ticks["price"], ticks["size"]
        side = self._taker_sides(ticks)
        first_tick = np.full(len(bars), -1)
        first_tick[at[::-1]] = np.arange(
            len(at) - 1, -1, -1
        )  # repeated indices: the last one stays
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
        bars["bid"][at[side < 0]] = price[side < 0]
        bars["ask"][at[side > 0]] = price[side > 0]

    def _taker_sides(self, ticks: Ticks) -> NDArray[np.int64]:
        """Return +1 bought or -1 sold for each tick; 0 before the first side or move."""
        if len(ticks) == 0:
            return np.zeros(0, np.int64)
        before = self._last_price or ticks["price"][0]
        moved = np.sign(np.diff(ticks["price"], prepend=before)).astype(np.int64)
        side = np.where(ticks["side"] != 0, ticks["side"], moved)
        side = forward_fill(side, self._last_side)
        self._last_price, self._last_side = float(ticks["price"][-1]), int(side[-1])
        return side

    def _mark_gaps(self, ticks: Ticks, newest: NDArray[np.int64]) -> None:
        """Flag the bars in which trades may be missing: from the tick before a gap to the next."""
        first = int(self._open["ts_open"][0]) // NS_PER_S
        for i in np.flatnonzero(ticks["flags"] & AFTER_GAP):
            before = int(newest[i - 1]) if i else self._newest_ts
            here = int(newest[i]) // NS_PER_S - first
            since = max(before // NS_PER_S - first, 0) if before >= 0 else here
            self._open["gap"][since : here + 1] = MISSING


def bars_of(ticks: Ticks, *, grace_ns: int = 0) -> Bars:
    """Return all bars of ``ticks``; the last ones are not final yet.

    It does in one call what ``BarBuilder`` does batch by batch.
    """
    builder = BarBuilder(grace_ns)
    final = builder.update(ticks.copy())
    return np.concatenate([final, builder.forming()])


def _carry(bars: Bars, last: Bars) -> Bars:
    """Carry the last close into bars without trades, and the last bid and ask into all, in place.

    Flag the broken bars too. ``last`` is the final bar before, ``(1,)``, zeros if there is none.
    Until a side has traded at all, the first bar's close stands for its quote; so it does after a
    wrong print, which may be the only quote known.
    """
    traded = bars["trades"] > 0
    close = forward_fill(np.where(traded, bars["close"], 0.0), last["close"][0])
    for name in ("open", "high", "low", "close"):
        bars[name][~traded] = close[~traded]
    broken = _broken(bars, last["close"][0])
    bars["gap"][broken] |= BROKEN
    for name in ("bid", "ask"):
        bars[name][broken] = close[broken]
        bars[name] = forward_fill(bars[name], last[name][0] or close[:1])
    return bars


def _broken(bars: Bars, last_close: float) -> NDArray[np.bool]:
    """Return which bars have a price too far from the close before, ``last_close`` at first.

    A first bar of all, where ``last_close`` is 0, is compared with its own open.
    """
    before = np.concatenate([[last_close], bars["close"][:-1]])[: len(bars)]
    before = np.where(before > 0, before, bars["open"])
    broken: NDArray[np.bool] = (bars["high"] > MOST_TIMES * before) | (
        MOST_TIMES * bars["low"] < before
    )
    return broken

"""Quotes among the trades of a tape: in the order received where it is known, else by time. Pure.

A quote may already show what a trade of the same moment has taken, so the trade comes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.quotes import RECEIVED, Quotes
from streaming.tape.foreign.order import has_receive_times
from streaming.ticks import FOR_EVER, MAX_AHEAD_NS, Ticks, filled_times

FASTEST = 0.01  # the share of trades that came with no delay


def placed(quotes: Quotes, ticks: Ticks) -> Quotes:
    """Return quotes in order, with ``after`` filled in.

    Args:
        quotes: ``(m,)`` as they stand in a file.
        ticks: ``(n,)`` in the order in which they are played.
    """
    received = has_receive_times(ticks) and bool((quotes["ts_init"] > 0).all())
    field = "ts_init" if received else "ts_event"
    quotes = quotes[np.argsort(filled_times(quotes[field]), kind="stable")]
    of_ticks = np.maximum.accumulate(filled_times(ticks[field]))
    quotes["after"] = np.searchsorted(of_ticks, filled_times(quotes[field]), side="right")
    return quotes


def with_venue_times(quotes: Quotes, ticks: Ticks) -> Quotes:
    """Return quotes in which those without a time of the venue's have its time of their receipt.

    How far the recorder's clock was off is told by the trades that came fastest. A quote is never
    put behind a later trade, nor before an earlier one.

    Args:
        quotes: ``(m,)`` in order, with ``after``; changed in place.
        ticks: ``(n,)`` in the order in which they are played, with receive times.
    """
    timeless = quotes["flags"] & RECEIVED > 0
    known = ticks[(ticks["ts_event"] > 0) & (ticks["ts_init"] > 0)]
    if not timeless.any() or len(known) == 0:
        return quotes
    delays: NDArray[np.int64] = known["ts_init"] - known["ts_event"]
    likely = delays[np.abs(delays - np.median(delays)) <= MAX_AHEAD_NS]
    off = int(np.quantile(likely, FASTEST, method="lower"))
    times = filled_times(ticks["ts_event"])
    newest = np.concatenate([[0], np.maximum.accumulate(times)])
    late = times < newest[:-1]
    coming = np.append(np.where(late, FOR_EVER, times), FOR_EVER)
    next_time: NDArray[np.int64] = np.minimum.accumulate(coming[::-1])[::-1]
    after = quotes["after"][timeless]
    at = np.minimum(quotes["ts_init"][timeless] - off, next_time[after])
    behind = newest[after] - at
    quotes["ts_event"][timeless] = at + np.where(behind < MAX_AHEAD_NS, np.maximum(behind, 0), 0)
    return quotes

"""The order of a tape's rows: files come newest first, interleaved, one behind another. Pure.

A capture knows its own order: what has receive times that do not fall is left as it is. Else the
ids tell, if they agree with the times, else the times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.ticks import NS_PER_S, Ticks, filled_times

LATE_NS = NS_PER_S  # trades of one moment come in any order; a later one is late
MOST_LATE = 0.01  # the share of late rows up to which an order agrees with the times
MOST_RECOUNTS = 0.05  # the share of rows at which a venue begins its count anew
UNRELATED = (0.25, 0.75)  # the share of falling times, if the ids say nothing about them


class OrderError(ValueError):
    """Ids and times contradict each other."""


class Order(NamedTuple):
    """How to play rows.

    Attributes:
        rows: the rows in order, ``(n,)``; None if they are in order.
        counts: whether the ids count the trades.
        why: what was done to the file's order; "" if nothing.
    """

    rows: NDArray[np.int64] | None = None
    counts: bool = True
    why: str = ""


BY_ID = "the rows are not in order: they are sorted by id"
BY_TIME = "the rows are not in order: they are sorted by time"
REVERSED = "the rows are newest first: they are played from the last to the first"


def has_receive_times(ticks: Ticks) -> bool:
    """Return whether each tick tells when it was received, and not only when all were fetched."""
    received = ticks["ts_init"]
    return bool(len(ticks) and received.all() and received.min() < received.max())


def order_of(ticks: Ticks, has_ids: bool, sort: str = "") -> Order:
    """Return in which order to play ticks, ``(n,)`` as they stand in the file.

    Args:
        ticks: an event time of 0 is not known.
        has_ids: whether their ids are the venue's.
        sort: ``id``, ``time`` or ``file``; if empty, ids and times tell.

    Raises:
        OrderError: if they contradict each other.
    """
    if sort == "file":
        return Order()
    times = filled_times(ticks["ts_event"])
    if sort == "time" or (sort == "id" and not has_ids):
        index = _by(times)
        return Order(index, counts=has_ids and _falls(ticks, index) <= MOST_RECOUNTS)
    if sort == "id":
        return Order(_by(ticks["id"]))
    if has_receive_times(ticks) and (np.diff(ticks["ts_init"]) >= 0).all():
        return Order()
    if not has_ids:
        return _by_time(times)
    return _by_id(ticks, times)


def _by_id(ticks: Ticks, times: NDArray[np.int64]) -> Order:
    by_id = _by(ticks["id"])
    sorted_times = times if by_id is None else times[by_id]
    falling = share_falling(sorted_times)
    in_file = share_falling(times, LATE_NS)
    if falling <= UNRELATED[0] and share_falling(sorted_times, LATE_NS) <= max(MOST_LATE, in_file):
        return Order(by_id, why="" if by_id is None else BY_ID)
    if share_falling(times) > share_falling(times[::-1]):
        backward = np.arange(len(times))[::-1]
        order, in_file = Order(backward, why=REVERSED), share_falling(times[::-1], LATE_NS)
    else:
        order = Order()
    if in_file <= MOST_LATE and _falls(ticks, order.rows) <= MOST_RECOUNTS:
        return order  # the venue has counted anew in between, which the sequencer follows
    if not UNRELATED[0] <= falling <= UNRELATED[1]:
        raise OrderError("ids and times contradict each other")
    return _by_time(times)._replace(counts=False)


def _by_time(times: NDArray[np.int64]) -> Order:
    if share_falling(times) > share_falling(times[::-1]):
        if share_falling(times[::-1], LATE_NS) <= MOST_LATE:
            return Order(np.arange(len(times))[::-1], why=REVERSED)
    elif share_falling(times, LATE_NS) <= MOST_LATE:
        return Order()
    return Order(_by(times), why=BY_TIME)


def _falls(ticks: Ticks, index: NDArray[np.int64] | None) -> float:
    ids = ticks["id"] if index is None else ticks["id"][index]
    return float(np.mean(np.diff(ids) < 0)) if len(ids) > 1 else 0.0


def _by(keys: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the rows sorted by ``keys``, equal ones as in the file; None if they are sorted."""
    return None if (np.diff(keys) >= 0).all() else np.argsort(keys, kind="stable")


def share_falling(times: NDArray[np.int64], slack_ns: int = 0) -> float:
    """Return the share of rows that stand behind a later one: the most over all distances.

    A share of pairs and not of rows behind the latest so far, as one wrong time counts once.

    >>> share_falling(np.array([1, 2, 3, 4])), share_falling(np.array([4, 3, 2, 1]))
    (0.0, 1.0)
    """
    if (np.diff(times) >= 0).all():
        return 0.0  # the usual case
    most, step = 0.0, 1
    while step <= len(times) // 2:
        most = max(most, float(np.mean(times[step:] < times[:-step] - slack_ns)))
        step *= 2
    return most

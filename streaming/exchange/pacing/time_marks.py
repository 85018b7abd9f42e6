"""Time marks: "all trades before this time have been sent", for each second that ends. Pure.

The exchange knows what comes: a mark never makes a later row late. A silence of more than an hour
is a closed market, in which no time is told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.bars import MAX_CARRY_S
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import SPARE, marks
from streaming.records import join
from streaming.ticks import FOR_EVER, NS_PER_S


def with_marks(
    chunk: Chunk,
    times: NDArray[np.int64],
    grace_ns: int,
    *,
    since: int = 0,
    until: int,
    end: int = FOR_EVER,
) -> Chunk:
    """Return a chunk with the marks before, between and behind its rows.

    A mark is due when as much time has passed since the row before it as between their events, and
    not after the row behind it.

    Args:
        chunk: trades and quotes, ``(n,)`` rows.
        times: ``(n,)`` their event times, ns; 0 of rows that no bar sees.
        grace_ns: how far behind the end of a second its mark stands, ns.
        since: the newest event time before the chunk, ns, which was due then; 0 if there is none.
        until: no later row is earlier than this, ns.
        end: no mark is due later, ns.
    """
    start = int(since > 0)
    before = np.full(start, since, np.int64)
    times, moves, due = (
        np.concatenate([before, part]) for part in (times, chunk.moves(times), chunk.due)
    )
    row, second = _seconds_over(times, moves, grace_ns, until)
    at, place = second * NS_PER_S + grace_ns, row + 1 - start
    passed = at - np.maximum.accumulate(times)[row]
    at_due = np.clip(due[row] + passed, due[row], np.append(due, end)[row + 1])
    made = marks(at, at_due, np.searchsorted(chunk.trade_at, place))
    follows = np.append(row[1:], -1)[: len(row)] != row
    same = (np.append(moves, 0)[row + 1] - grace_ns) // NS_PER_S == second
    made["flags"][same & follows] |= SPARE
    keys = np.concatenate([2 * chunk.book_at, 2 * place - 1])
    books = join(chunk.books, made)[np.argsort(keys, kind="stable")]
    return Chunk(chunk.trades, books)


def _seconds_over(
    times: NDArray[np.int64], moves: NDArray[np.int64], grace_ns: int, until: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return behind which rows seconds are over, and which, ``(k,)`` each, in order."""
    newest = np.maximum.accumulate(moves)
    floor = _floor(times, newest, grace_ns, until)
    # Seconds up to here are over by the row itself, or were over behind a row before it.
    known = np.maximum(newest, np.concatenate([[0], floor])[: len(floor)])
    first, last = ((at - grace_ns) // NS_PER_S for at in (known, floor))
    silence = floor - np.maximum.accumulate(times)
    is_open = (newest > 0) & (silence <= MAX_CARRY_S * NS_PER_S)
    count = np.where(is_open, np.maximum(last - first, 0), 0)
    row = np.repeat(np.arange(len(times)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return row, first[row] + 1 + nth


def _floor(
    times: NDArray[np.int64], newest: NDArray[np.int64], grace_ns: int, until: int
) -> NDArray[np.int64]:
    """Return the earliest time behind each row that is not late by the rows themselves, ns."""
    before = np.concatenate([[0], newest])[: len(times)]
    punctual = times // NS_PER_S >= np.maximum(before - grace_ns, NS_PER_S) // NS_PER_S
    to_come = np.append(np.where(punctual, times, FOR_EVER), until)[1:]
    floor: NDArray[np.int64] = np.minimum.accumulate(to_come[::-1])[::-1]
    return floor

"""Binance's `bookTicker` frames, and the built-in exchange's `time` frames, among those of trades.

`u` rises with each update of the book. Futures say when it was: `T`; spot does not. Of the
exchange's `time` all trades before `E` have been sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, compress
from operator import attrgetter, not_
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.quotes import RECEIVED, Quotes, make_quotes
from streaming.ticks import NS_PER_MS
from streaming.venues import Rejected
from streaming.venues.binance_messages import Decoders, Int, decode_frames, ns_of_ms_or_us

BOOK, TIME = b'@bookTicker"', b'@time"'  # how the names of the streams end


class Book(
    msgspec.Struct,
    gc=False,
    rename={"id": "u", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A", "time": "T"},
):
    """One `bookTicker` event; ``time`` is ms or us, 0 where the venue gives none."""

    s: str
    id: Int
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    time: Int = 0


class CombinedBook(msgspec.Struct, gc=False):
    """A `bookTicker` event of a combined stream."""

    data: Book


class Mark(msgspec.Struct, gc=False, rename={"time": "E"}):
    """One `time` event."""

    s: str
    time: Int


class CombinedMark(msgspec.Struct, gc=False):
    """A `time` event of a combined stream."""

    data: Mark


BOOKS = Decoders.of(CombinedBook, strict=False)
MARKS = Decoders.of(CombinedMark)

# Whole numbers are at most 2**53, which a float64 has exactly.
FIELDS = ("id", "bid", "bid_size", "ask", "ask_size", "time")
VALUES = attrgetter(*FIELDS)


class Sorted(NamedTuple):
    """The frames of a batch by what they are; each kind by the frames' places in the batch."""

    trades: list[int]  # and whatever is neither
    books: list[int]
    marks: list[int]


def sort_frames(frames: Sequence[bytes]) -> Sorted:
    """Return which frames are of which kind, by the streams' names."""
    is_book = [BOOK in frame for frame in frames]
    books = [*compress(range(len(frames)), is_book)]
    others = [*compress(range(len(frames)), map(not_, is_book))]
    is_mark = [TIME in frames[place] for place in others]
    return Sorted(
        [*compress(others, map(not_, is_mark))], books, [*compress(others, is_mark)]
    )  # fmt: skip


def quotes_by_symbol(
    frames: Sequence[bytes],
    stamps: Sequence[int],
    places: Sequence[int],
    ours: Mapping[str, str],
    rejected: Rejected,
) -> dict[str, tuple[Quotes, Sequence[int]]]:
    """Return each symbol's quotes, and the place of each in the batch.

    Args:
        frames: the batch.
        stamps: when each frame was received, ns.
        places: those of the `bookTicker` frames.
        ours: our symbols by the venue's spelling.
        rejected: the counts, added to.
    """
    events = decode_frames(BOOKS, [frames[place] for place in places])
    received = np.array(stamps, np.int64)
    return {
        symbol: (_quotes_of(mine, received[at]), at)
        for symbol, (mine, at) in _by_symbol(events, places, ours, rejected).items()
    }


def _by_symbol(
    events: Sequence[Any], places: Sequence[int], ours: Mapping[str, str], rejected: Rejected
) -> dict[str, tuple[Sequence[Any], Sequence[int]]]:
    """Group events by our symbols; count those that were not read, or are of no symbol of ours."""
    names: list[Any] = [None if event is None else event.s for event in events]
    if names and names[0] in ours and names.count(names[0]) == len(names):  # mostly
        return {ours[names[0]]: (events, places)}
    groups: dict[str, tuple[list[Any], list[int]]] = {}
    for name, event, place in zip(names, events, places, strict=True):
        if name in ours:
            mine, at = groups.setdefault(ours[name], ([], []))
            mine.append(event)
            at.append(place)
        else:
            rejected["", "malformed" if name is None else "foreign_symbol"] += 1
    return dict(groups)


def _quotes_of(events: Sequence[Book], stamps: NDArray[np.int64]) -> Quotes:
    quotes = make_quotes(len(events))
    values = chain.from_iterable(map(VALUES, events))
    table = np.fromiter(values, np.float64, len(FIELDS) * len(events)).reshape(-1, len(FIELDS))
    for name, column in zip(FIELDS[:-1], table.T, strict=False):
        quotes[name] = column
    quotes["ts_init"], quotes["updates"] = stamps, 1
    times = ns_of_ms_or_us(table[:, -1])
    quotes["ts_event"] = np.where(times > 0, times, stamps)
    quotes["flags"][times == 0] = RECEIVED
    return quotes


def complete_until(
    frames: Sequence[bytes], places: Sequence[int], ours: Mapping[str, str], rejected: Rejected
) -> dict[str, int]:
    """Return until when all trades of a symbol have been sent, ns; as ``quotes_by_symbol``."""
    events = decode_frames(MARKS, [frames[place] for place in places])
    return {
        symbol: mine[-1].time * NS_PER_MS
        for symbol, (mine, _) in _by_symbol(events, places, ours, rejected).items()
    }

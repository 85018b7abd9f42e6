"""Binance's `bookTicker` frames, and the built-in exchange's `time` frames, among those of trades.

`u` rises with each update of the book. Futures say when it was: `T`; spot does not. Of the
exchange's `time` all trades before `E` have been sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streaming.quotes import RECEIVED, Quotes, make_quotes
from streaming.ticks import NS_PER_MS
from streaming.venues import Rejected
from streaming.venues.binance_messages import Int, ns_of_ms_or_us
from streaming.venues.gathering import UNREADABLE

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


BOOKS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(CombinedBook, strict=False)
MARKS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(CombinedMark)


class Sorted(NamedTuple):
    """The frames of a batch by what they are; each kind by the frames' places in the batch."""

    trades: list[int]  # and whatever is neither
    books: list[int]
    marks: list[int]


def sort_frames(frames: Sequence[bytes]) -> Sorted:
    """Return which frames are of which kind, by the streams' names."""
    found = Sorted([], [], [])
    trades, books, marks = (kind.append for kind in found)
    for place, frame in enumerate(frames):
        if BOOK in frame:
            books(place)
        elif TIME in frame:
            marks(place)
        else:
            trades(place)
    return found


def quotes_by_symbol(
    frames: Sequence[bytes],
    stamps: Sequence[int],
    places: Sequence[int],
    ours: Mapping[str, str],
    rejected: Rejected,
) -> dict[str, tuple[Quotes, list[int]]]:
    """Return each symbol's quotes, and the place of each in the batch.

    Args:
        frames: the batch.
        stamps: when each frame was received, ns.
        places: those of the `bookTicker` frames.
        ours: our symbols by the venue's spelling.
        rejected: the counts, added to.
    """
    groups: dict[str, tuple[list[Book], list[int]]] = {}
    for place in places:
        try:
            event = BOOKS.decode(frames[place]).data
        except UNREADABLE:
            rejected["", "malformed"] += 1
            continue
        if event.s not in ours:
            rejected["", "foreign_symbol"] += 1
            continue
        events, mine = groups.setdefault(ours[event.s], ([], []))
        events.append(event)
        mine.append(place)
    return {
        symbol: (_quotes_of(events, [stamps[place] for place in mine]), mine)
        for symbol, (events, mine) in groups.items()
    }


def _quotes_of(events: Sequence[Book], stamps: Sequence[int]) -> Quotes:
    quotes = make_quotes(len(events))
    for name in ("id", "bid", "bid_size", "ask", "ask_size"):
        quotes[name] = [getattr(event, name) for event in events]
    quotes["ts_init"], quotes["updates"] = stamps, 1
    times = ns_of_ms_or_us([event.time for event in events])
    quotes["ts_event"] = np.where(times > 0, times, stamps)
    quotes["flags"][times == 0] = RECEIVED
    return quotes


def complete_until(
    frames: Sequence[bytes], places: Sequence[int], ours: Mapping[str, str], rejected: Rejected
) -> dict[str, int]:
    """Return until when all trades of a symbol have been sent, ns; as ``quotes_by_symbol``."""
    found: dict[str, int] = {}
    for place in places:
        try:
            mark = MARKS.decode(frames[place]).data
        except UNREADABLE:
            rejected["", "malformed"] += 1
            continue
        if mark.s in ours:
            found[ours[mark.s]] = mark.time * NS_PER_MS
        else:
            rejected["", "foreign_symbol"] += 1
    return found

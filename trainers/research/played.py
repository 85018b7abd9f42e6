"""A symbol's tape -> rows as the feed of a session would have handed them to its ``Ingest``.

    parts of a tape -> void rows, time marks, conflated quotes -> ticks and quotes in order

The exchange's rules say where time marks stand, the feed's what is void and how quotes are
conflated; a second takes the place of a batch of messages. A session's own rows were handed over
once already: they stay as they were kept, with their marks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from streaming.exchange.pacing.time_marks import with_marks
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import Books, is_mark, with_due
from streaming.exchange.protocol.trades import Trades, with_aggregates
from streaming.feed.market.conflation import Conflation
from streaming.quotes import MARK, Quotes, make_quotes
from streaming.tape.parts import SymbolTape, read_parts
from streaming.tape.tables.times import AHEAD_NS
from streaming.ticks import Ticks, faults, make_ticks
from streaming.venues import Rejected
from streaming.venues.gathering import mark_faults

SLICE_ROWS = 20_000  # handed over at once


class PlayedSpan(NamedTuple):
    """What is played of all tapes.

    Attributes:
        first: the first event time that is used, ns.
        stop: the first event time behind, ns.
        end: the time up to which a market goes on, ns: as long as the others do.
    """

    first: int
    stop: int
    end: int


class PlayedTape:
    """One symbol's tape, played.

    Args:
        tape: what ``look_at`` has found.
        span: what of it is used.
        grace_ns: how far behind the end of a second its mark stands, ns.
        quotes: whether its quotes are wanted.

    Attributes:
        rejected: how many rows are void, by market and reason.
    """

    def __init__(self, tape: SymbolTape, span: PlayedSpan, grace_ns: int, *, quotes: bool) -> None:
        wanted = [part for part in tape.parts if part.first < span.stop and part.last >= span.first]
        self._tape, self._span = tape._replace(parts=tuple(wanted)), span
        self._grace_ns, self._quotes = grace_ns, quotes
        self._latest = time.time_ns() + AHEAD_NS
        self._conflation = Conflation()
        self.rejected: Rejected = Counter()

    def slices(self) -> Iterator[tuple[Ticks, Quotes]]:
        """Yield ticks and quotes in order; ``after`` counts the ticks of the slice.

        Raises:
            TapeError: if a file cannot be read any more.
        """
        for ticks, quotes in self._parts():
            for start in range(0, len(ticks), SLICE_ROWS):
                stop = min(start + SLICE_ROWS, len(ticks))
                first = np.searchsorted(quotes["after"], start, side="right" if start else "left")
                last = np.searchsorted(quotes["after"], stop, side="right")
                part = quotes[first:last].copy()
                part["after"] -= start
                yield ticks[start:stop], part

    def _parts(self) -> Iterator[tuple[Ticks, Quotes]]:
        cut = (self._cut(*rows) for rows in read_parts(self._tape, quotes=self._quotes))
        parts = (rows for rows in cut if len(rows[0]))
        if self._tape.kept:
            yield from parts
            return
        newest, rows = 0, next(parts, None)
        while rows is not None:
            following = next(parts, None)  # its first time says how far time has come before it
            until = self._span.end if following is None else int(_known(following[0]).min())
            found, newest = self._marked(*rows, newest, until)
            yield self._fed(found)
            rows = following

    def _cut(self, ticks: Ticks, quotes: Quotes) -> tuple[Ticks, Quotes]:
        """Leave out what is not in the span; a trade without a time stays with its neighbours."""
        first, stop, _ = self._span
        times, told = ticks["ts_event"], quotes["ts_event"]
        keep = ((times >= first) & (times < stop)) | ((times == 0) & (first == 0))
        keep_quotes = (told >= first) & (told < stop)
        if keep.all() and keep_quotes.all():
            return ticks, quotes
        before = np.concatenate([[0], np.cumsum(keep)])
        quotes = quotes[keep_quotes]
        quotes["after"] = before[np.minimum(quotes["after"], len(ticks))]
        return ticks[keep], quotes

    def _marked(self, ticks: Ticks, quotes: Quotes, newest: int, until: int) -> tuple[Chunk, int]:
        """Return rows with the marks of time between and behind them, and the newest time."""
        chunk = Chunk(
            with_aggregates(ticks, ticks["ts_event"]), with_due(quotes, quotes["ts_event"])
        )
        times = chunk.times(self._latest)
        until = max(until, int(times.max(initial=newest)))
        marked = with_marks(chunk, times, self._grace_ns, since=newest, until=until)
        newest = max(newest, int(marked.times(self._latest).max(initial=0)))
        return marked.part(0, len(marked)), newest

    def _fed(self, chunk: Chunk) -> tuple[Ticks, Quotes]:
        ticks = _ticks_of(chunk.trades)
        mark_faults(ticks, faults(ticks, self._latest), self._tape.symbol, self.rejected)
        return ticks, self._quotes_of(chunk.books)

    def _quotes_of(self, books: Books) -> Quotes:
        """Return conflated quotes and the marks between them, in order."""
        rows = make_quotes(len(books))
        for name in ("id", "ts_event", "bid", "ask", "bid_size", "ask_size", "after"):
            rows[name] = books[name]
        marked = is_mark(books)
        rows["ts_init"] = np.arange(len(rows))  # conflation leaves places out: it is kept here
        rows["updates"][~marked], rows["flags"][marked] = 1, MARK
        kept = self._conflation.take(rows[~marked], self._latest, self._tape.symbol, self.rejected)
        both = np.concatenate([kept, rows[marked]])
        both = both[np.argsort(both["ts_init"], kind="stable")]
        both["ts_init"] = both["ts_event"]  # on a virtual clock nothing is on its way
        return both


def _known(ticks: Ticks) -> np.ndarray:
    times: np.ndarray = ticks["ts_event"]
    return times[times > 0] if (times > 0).any() else times


def _ticks_of(trades: Trades) -> Ticks:
    ticks = make_ticks(len(trades))
    for name in ("id", "ts_event", "price", "size", "side"):
        ticks[name] = trades[name]
    ticks["ts_init"] = ticks["ts_event"]
    return ticks

"""One symbol's rows: they leave their source when they are due and become history. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from streaming.exchange.pacing.final_bars import FinalBars
from streaming.exchange.protocol.chunk import NOTHING, Chunk
from streaming.exchange.protocol.quotes import NO_BOOKS, Books, is_mark
from streaming.exchange.protocol.trades import History, Trades
from streaming.ticks import FOR_EVER, NS_PER_S

NO_TIMES = np.zeros(0, np.int64)

# A chunk and the event times of its rows, ns: 0 of rows that no bar sees.
Timed = tuple[Chunk, NDArray[np.int64]]


class Removal:
    """Take the next ``count`` trades out of a stream of batches, for faults on request.

    An aggregate that misses a trade goes as a whole: its last trade no longer closes it.
    """

    def __init__(self) -> None:
        self.count = 0
        self._broken = -1

    def apply(self, trades: Trades) -> Trades:
        """Return what is left of a batch."""
        n = min(self.count, len(trades))
        self.count -= n
        if n:
            self._broken = int(trades["agg_id"][n - 1])
        left = trades[n:]
        if len(left) and left["agg_id"][0] == self._broken:
            left = left.copy()
            left["closes"] &= left["agg_id"] != self._broken
        return left


class Playback:
    """Hand out a symbol's rows as market time passes.

    Args:
        chunks: yields the rows with their event times, each chunk ordered by ``due``.
        grace_ns: how far past a bar's end an event must be to make the bar final, ns.
        bar_ns: the length of a bar, ns.

    Attributes:
        history: the trades that have happened.
        book: the newest quote, ``(1,)``; ``(0,)`` before the first.
        bars: which bars are final by what was handed out.
        ended: whether nothing comes any more.
        held: whether a row that is due waits.
    """

    def __init__(self, chunks: Iterator[Timed], grace_ns: int = 0, bar_ns: int = NS_PER_S) -> None:
        self.history = History()
        self.book: Books = NO_BOOKS
        self._grace_ns, self._bar_ns = grace_ns, bar_ns
        self.begin()
        self.ended = self.held = False
        self.lost = Removal()  # trades that never happen
        self.skipped = Removal()  # trades that happen and are not streamed
        self._chunks = chunks
        self._waiting, self._times, self._moves, self._at = NOTHING, NO_TIMES, NO_TIMES, 0

    def advance(
        self,
        market_ns: int,
        limit: int = FOR_EVER,
        may_pass: Callable[[int], bool] | None = None,
    ) -> Chunk:
        """Take the rows that are due at ``market_ns``; return those to be streamed.

        One call handles at most ``limit`` rows of one chunk: call it until ``due`` is false or a
        row is held.

        Args:
            market_ns: the market's time, ns.
            limit: the most rows to take.
            may_pass: given when the newest final bar opened, ns, returns whether a row may make
                another one final; None if all may.
        """
        start = self._at
        due = int(np.searchsorted(self._waiting.due, market_ns, side="right"))
        self._at = min(due, start + limit)
        self.held = False
        if may_pass is None:
            self.bars.add(self._moves[start : self._at])
        else:
            self._at = self._pass(start, self._at, may_pass)
        if self._at == start:
            return NOTHING
        part = self._waiting.part(start, self._at)
        happened = self.lost.apply(part.trades)
        self.history.append(happened)
        if len(quotes := part.books[~is_mark(part.books)]):
            self.book = quotes[-1:]
        return part.with_trades(self.skipped.apply(happened))

    def _pass(self, start: int, stop: int, may_pass: Callable[[int], bool]) -> int:
        """Note the rows from ``start`` on that need not wait; return where they stop."""
        while start < stop:
            step = start + self.bars.next_step(self._moves[start:stop])
            self.bars.add(self._moves[start:step])
            if step == stop or not may_pass(self.bars.newest_bar):
                self.held = step < stop
                return step
            self.bars.add(self._moves[step : step + 1])
            start = step + 1
        return stop

    def begin(self) -> None:
        """Take what was handed out so far as history: for who follows, the series begins now."""
        self.bars = FinalBars(self._grace_ns, self._bar_ns)

    def due(self, market_ns: int) -> bool:
        """Return whether a row is due that has not been handed out."""
        while self._at == len(self._waiting) and not self.ended:
            following = next(self._chunks, None)
            self.ended = following is None
            self._waiting, self._times = following or (NOTHING, NO_TIMES)
            self._moves, self._at = self._waiting.moves(self._times), 0
        return not self.ended and self.next_due <= market_ns

    @property
    def next_due(self) -> int:
        """When the next row is due, ns; there must be one."""
        return int(self._waiting.due[self._at])

    def time(self, market_ns: int) -> int:
        """Return the event time that has been reached at ``market_ns``, ns; 0 if none is known.

        A silence that was cut is taken as cut at its beginning: what comes next is not ahead.
        """
        following = self._times[self._at : self._at + 1]
        if len(following) == 0 or following[0] == 0:
            return self.bars.newest_time
        return max(self.bars.newest_time, int(following[0]) - max(0, self.next_due - market_ns))

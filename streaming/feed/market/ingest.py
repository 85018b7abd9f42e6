"""One symbol's way from received rows into its files: sequencer, bars, rings, counters.

    decoded ticks -> Sequencer ──────┐
    updates -> Conflation -> places ─┴─> BarBuilder -> bar ring, then the stores of ticks and quotes

It reads no socket and no clock: tests drive it as the feed does. Bars are written before the
rows that made them final, so that a reader who has seen these finds its bars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.bars import BarBuilder
from streaming.cache import write_bar_ring, write_quote_ring, write_tick_cache
from streaming.config import StreamConfig
from streaming.feed.market.row_store import RowStore, Say
from streaming.feed.market.sequence import Recount, Sequencer
from streaming.feed.market.waiting_quotes import NO_TRADE, WaitingQuotes
from streaming.merged import Merged
from streaming.quotes import LATE as LATE_QUOTE
from streaming.quotes import MARK, NO_QUOTES, Quotes, make_quotes
from streaming.records import copied
from streaming.tape import SegmentKind, TapeWriter
from streaming.ticks import LATE, NS_PER_MS, REPAIRED, VOID, Ticks, make_ticks

# The quote ring holds a third of the tick cache's rows: 15 min of batches of 50 ms.
QUOTES_PER_TICK = 3
LEAST_QUOTES = 100


def quotes_kept(config: StreamConfig) -> int:
    """Return how many rows a quote ring has."""
    return max(LEAST_QUOTES, config.tick_cache // QUOTES_PER_TICK)


class Ingest:
    """Owner of one symbol's rings; goes on where a killed process left them.

    Args:
        session: the session's folder.
        symbol: in the venue's spelling.
        config: gives the sizes, the grace, whether to wait for history and whether to write a tape.
        say: reports an event.

    Attributes:
        store: the tick cache and its tape.
        ticks: the tick cache, whose header holds ``stats``.
        quote_store: the quote ring and its tape.
        bars: the ring of final bars.
        stats: the stream's counters.

    Raises:
        RingError: if another process writes a ring, or there is no room for it; later, if rows
            cannot be put on tape and the ring is full.
        TapeError: if a tape is another ring's.
    """

    def __init__(
        self,
        session: Path,
        symbol: str,
        config: StreamConfig,
        say: Say = lambda code, text, about: None,
    ) -> None:
        self.symbol = symbol
        self.ticks = write_tick_cache(session, symbol, config.tick_cache)
        quotes = write_quote_ring(session, symbol, quotes_kept(config))
        self.bars = write_bar_ring(session, symbol, config.bar_ring)
        self.stats = self.ticks.stats
        tape = session / "tape" if config.segment_seconds > 0 else None
        self.store, self.quote_store = (
            RowStore(ring, TapeWriter(ring, tape, symbol, kind) if tape else None, symbol, say)
            for ring, kind in ((self.ticks, SegmentKind.TICKS), (quotes, SegmentKind.QUOTES))
        )
        self._waiting = WaitingQuotes()
        kept, kept_quotes = self.ticks.read(), quotes.read()
        newest_id = int(kept.rows["id"][-1]) if len(kept.rows) else None
        self._sequencer = Sequencer(
            newest_id,
            wait_for_history=config.backfill_seconds > 0,
            newest_ts=int(kept.rows["ts_event"].max(initial=-1)),
        )
        self._newest_streamed = NO_TRADE if newest_id is None else newest_id
        self._duplicates = int(self.stats["duplicates"])  # counted by earlier processes
        # A feed that was killed between writing bars and writing their rows leaves bars that no
        # reader has used yet.
        known = self.bars.read()
        used = (known.rows["final_seq"] <= self.ticks.committed) & (
            known.rows["final_quote"] <= quotes.committed
        )
        self.bars.take_back(known.first + int(np.count_nonzero(used)))
        newest = self.bars.tail(1).rows
        self._newest_bar = int(newest["ts_open"][0]) if len(newest) else -1
        self._grace_ns, self._bar_ns = config.grace_ms * NS_PER_MS, config.bar_ns
        self._builder = BarBuilder(self._grace_ns, kept.first, kept_quotes.first, self._bar_ns)
        self._write_bars(kept.rows.copy(), kept_quotes.rows.copy())

    @property
    def held(self) -> Ticks:
        """Trades held back until the history or the hole before them is dealt with."""
        return self._sequencer.held

    @property
    def missing(self) -> tuple[int, int] | None:
        """First and last id of the hole before the held trades; None if there is none."""
        return self._sequencer.missing

    @property
    def newest_id(self) -> int | None:
        """The id of the newest trade received; None if there is none yet."""
        return self._sequencer.newest_id

    @property
    def room_for_history(self) -> int:
        """How many trades from before the held ones the tick cache can keep."""
        return max(0, self.ticks.capacity - len(self.held))

    def take_recounts(self) -> list[Recount]:
        """Return the recounts of the venue since the last call."""
        return self._sequencer.take_recounts()

    def push(self, ticks: Ticks, quotes: Quotes = NO_QUOTES) -> None:
        """Take streamed trades, in the order received, and the quotes and marks between them.

        Args:
            ticks: ``(n,)``.
            quotes: ``(m,)``; ``after`` counts the ticks of these ``n`` that came before each.
        """
        valid = ticks["flags"] & VOID == 0
        ids = np.where(valid, ticks["id"], NO_TRADE)
        newest = np.maximum.accumulate(np.concatenate([[self._newest_streamed], ids]))
        if len(quotes):
            self._waiting.add(quotes, newest[np.minimum(quotes["after"], len(ticks))])
        self._newest_streamed = int(newest[-1])
        self._keep(self._sequencer.push(ticks))

    def would_close(self, ts: int) -> bool:
        """Return whether a row of event time ``ts``, ns, would make a bar final."""
        newest = self._builder.newest_ts
        if newest < 0:
            return False
        return (ts - self._grace_ns) // self._bar_ns > (newest - self._grace_ns) // self._bar_ns

    def mark(self, ts: int, received: int) -> None:
        """Take note that all trades before ``ts`` have come, if that makes a bar final.

        Args:
            ts: event time, ns.
            received: our time now, ns.
        """
        if self.would_close(ts):
            mark = make_quotes(1)
            mark["ts_event"], mark["ts_init"], mark["flags"] = ts, received, MARK
            self.push(make_ticks(0), mark)

    def begin(self, history: Ticks) -> None:
        """Take the trades from before the first streamed one; there may be none.

        The oldest that the cache cannot hold beside the streamed ones are left out: a reader sees
        all of the history at once or nothing of it.
        """
        history = history[max(0, len(history) - self.room_for_history) :]
        if len(self.held):
            self._waiting.begin(int(self.held["id"][0]))
        self.stats["backfilled"] += len(history)
        self._keep(self._sequencer.begin(history), count_repaired=False)

    def fill(self, repaired: Ticks) -> None:
        """Take what the venue still had of the missing trades."""
        self._keep(self._sequencer.fill(repaired))

    def give_up(self) -> tuple[int, int] | None:
        """Mark the hole as a gap; return its first and last id."""
        missing = self.missing
        if missing is not None:
            self.stats["gaps"] += 1
            self.stats["missing"] += missing[1] - missing[0] + 1
            self._keep(self._sequencer.give_up())
        return missing

    def write_tape(self) -> None:
        """Put what is not on tape yet there."""
        self.store.write_tape()
        self.quote_store.write_tape()

    def close(self) -> None:
        """Let go of the files."""
        self.store.close()
        self.quote_store.close()
        self.bars.close()

    def _keep(self, ticks: Ticks, *, count_repaired: bool = True) -> None:
        self.stats["duplicates"] = self._duplicates + self._sequencer.duplicates
        ticks = copied(ticks)
        quotes = self._place(ticks["id"])
        if count_repaired:
            self.stats["repaired"] += int(np.count_nonzero(ticks["flags"] & REPAIRED))
        rows = Merged.of(ticks, quotes, self.ticks.committed)
        for part in rows.split(range(size := self._part_size(len(quotes)), len(rows), size)):
            self._write(part.ticks, part.quotes)

    def _part_size(self, quotes: int) -> int:
        """Return how many rows to write at once, if there are so many ``quotes`` among them.

        Much comes at once only after a long hole: a part at a time, each on tape before the next
        overwrites it. A reader always finds the newest half of the cache meanwhile.
        """
        size = self.ticks.capacity // (2 if self.ticks.committed else 1)
        most = self.quote_store.ring.capacity // 2
        return size if quotes <= most else min(size, most)

    def _place(self, ids: NDArray[np.int64]) -> Quotes:
        """Return the quotes that can be kept now, beside trades with these ids."""
        held, last_id = len(self.held) > 0, self._sequencer.last_id
        if last_id is None:  # nothing is kept yet
            if not held:
                self._waiting.keep_newest()
            return NO_QUOTES
        return self._waiting.take(ids, self.ticks.committed, last_id if held else None)

    def _write(self, ticks: Ticks, quotes: Quotes) -> None:
        """Write rows and the bars that they make final."""
        self.store.make_room(len(ticks))
        self.quote_store.make_room(len(quotes))
        self._write_bars(ticks, quotes)
        self.stats["late"] += int(np.count_nonzero(ticks["flags"] & LATE))
        self.stats["late_quotes"] += int(np.count_nonzero(quotes["flags"] & LATE_QUOTE))
        self.stats["quotes"] += int(quotes["updates"].sum())
        self.store.append(ticks)
        self.quote_store.append(quotes)

    def _write_bars(self, ticks: Ticks, quotes: Quotes) -> None:
        """Fold rows; write the bars that are new (a restart folds known rows once more)."""
        bars = self._builder.update(ticks, quotes)
        new = bars[bars["ts_open"] > self._newest_bar]
        if len(new):
            self._newest_bar = int(new["ts_open"][-1])
            self.bars.append(new)

"""One symbol's way from received trades into its files: sequencer, bars, rings, counters.

    decoded ticks -> Sequencer -> BarBuilder -> bar ring, then TickStore: tick cache and tape

It reads no socket and no clock: tests drive it as the feed does. Bars are written before the
ticks that made them final, so that a reader who has seen a tick finds its bars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streaming.bars import BarBuilder
from streaming.cache import write_bar_ring
from streaming.config import StreamConfig
from streaming.sequence import Recount, Sequencer
from streaming.tick_store import Say, TickStore
from streaming.ticks import LATE, NS_PER_MS, REPAIRED, Ticks


class Ingest:
    """Owner of one symbol's rings; goes on where a killed process left them.

    Args:
        session: the session's folder.
        symbol: in the venue's spelling.
        config: gives the sizes, the grace, whether to wait for history and whether to write a tape.
        say: reports an event.

    Attributes:
        store: the tick cache and the tape.
        ticks: the tick cache, whose header holds ``stats``.
        bars: the ring of final bars.
        stats: the stream's counters.

    Raises:
        RingError: if another process writes a ring, or there is no room for it; later, if ticks
            cannot be put on tape and the cache is full.
    """

    def __init__(
        self,
        session: Path,
        symbol: str,
        config: StreamConfig,
        say: Say = lambda code, text, about: None,
    ) -> None:
        self.symbol = symbol
        taped = config.segment_seconds > 0
        self.store = TickStore(session, symbol, config.tick_cache, taped=taped, say=say)
        self.ticks = self.store.ring
        self.bars = write_bar_ring(session, symbol, config.bar_ring)
        self.stats = self.ticks.stats
        kept = self.ticks.read()
        self._sequencer = Sequencer(
            int(kept.rows["id"][-1]) if len(kept.rows) else None,
            wait_for_history=config.backfill_seconds > 0,
            newest_ts=int(kept.rows["ts_event"].max(initial=-1)),
        )
        self._duplicates = int(self.stats["duplicates"])  # counted by earlier processes
        # A feed that was killed between writing bars and writing their ticks leaves bars that no
        # reader has used yet.
        known = self.bars.read()
        final = int(np.count_nonzero(known.rows["final_seq"] <= self.ticks.committed))
        self.bars.take_back(known.first + final)
        newest = self.bars.tail(1).rows
        self._newest_bar = int(newest["ts_open"][0]) if len(newest) else -1
        self._builder = BarBuilder(config.grace_ms * NS_PER_MS, kept.first)
        self._write_bars(kept.rows.copy())

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

    def push(self, ticks: Ticks) -> None:
        """Take streamed trades, in the order received."""
        self._keep(self._sequencer.push(ticks))

    def begin(self, history: Ticks) -> None:
        """Take the trades from before the first streamed one; there may be none.

        The oldest that the cache cannot hold beside the streamed ones are left out: a reader sees
        all of the history at once or nothing of it.
        """
        history = history[max(0, len(history) - self.room_for_history) :]
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

    def close(self) -> None:
        """Let go of the files."""
        self.store.close()
        self.bars.close()

    def _keep(self, ticks: Ticks, *, count_repaired: bool = True) -> None:
        self.stats["duplicates"] = self._duplicates + self._sequencer.duplicates
        ticks = ticks.copy()
        if count_repaired:
            self.stats["repaired"] += int(np.count_nonzero(ticks["flags"] & REPAIRED))
        # Much comes at once only after a long hole: a part at a time, each on tape before the next
        # overwrites it. A reader always finds the newest half of the cache meanwhile.
        size = self.ticks.capacity // (2 if self.ticks.committed else 1)
        for start in range(0, len(ticks), size):
            part = ticks[start : start + size]
            self.store.make_room(len(part))
            self._write_bars(part)
            self.stats["late"] += int(np.count_nonzero(part["flags"] & LATE))
            self.store.append(part)

    def _write_bars(self, ticks: Ticks) -> None:
        """Fold ticks; write the bars that are new (a restart folds known ticks once more)."""
        bars = self._builder.update(ticks)
        new = bars[bars["ts_open"] > self._newest_bar]
        if len(new):
            self._newest_bar = int(new["ts_open"][-1])
            self.bars.append(new)

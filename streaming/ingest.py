"""One symbol's way from received trades into its files: sequencer, bars, rings, counters.

    decoded ticks -> Sequencer -> BarBuilder -> bar ring, then tick cache

No socket and no clock: the feed drives it, tests drive it the same way. Bars are written
before the ticks that made them final, so that whoever has seen a tick finds its bars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streaming.bars import BarBuilder
from streaming.cache import write_bar_ring, write_tick_cache
from streaming.config import StreamConfig
from streaming.sequence import Sequencer
from streaming.ticks import LATE, NS_PER_MS, REPAIRED, Ticks


class Ingest:
    """Owner of one symbol's rings; takes up where a killed process left them.

    Args:
        session: the session's folder.
        symbol: the venue's spelling.
        config: sizes, grace and whether to wait for history.
    """

    def __init__(self, session: Path, symbol: str, config: StreamConfig) -> None:
        self.symbol = symbol
        self.ticks = write_tick_cache(session, symbol, config.tick_cache)
        self.bars = write_bar_ring(session, symbol, config.bar_ring)
        self.stats = self.ticks.stats
        kept = self.ticks.read()
        self.sequencer = Sequencer(
            int(kept.rows["id"][-1]) if len(kept.rows) else None,
            wait_for_history=config.backfill_seconds > 0,
            newest_ts=int(kept.rows["ts_event"].max(initial=-1)),
        )
        self._duplicates = int(self.stats["duplicates"])  # of the processes before this one
        # A feed killed after it wrote bars and before their ticks had told nobody of those bars.
        known = self.bars.read()
        final = int(np.count_nonzero(known.rows["final_seq"] <= self.ticks.committed))
        self.bars.take_back(known.first + final)
        newest = self.bars.tail(1).rows
        self._newest_bar = int(newest["ts_open"][0]) if len(newest) else -1
        self._builder = BarBuilder(config.grace_ms * NS_PER_MS, kept.first)
        self._write_bars(kept.rows.copy())

    def push(self, ticks: Ticks) -> None:
        """Take streamed trades, in the order received."""
        self._keep(self.sequencer.push(ticks))

    def begin(self, history: Ticks) -> None:
        """Take the trades from before the first streamed one; there may be none."""
        self.stats["backfilled"] += len(history)
        self._keep(self.sequencer.begin(history), count_repaired=False)

    def fill(self, repaired: Ticks) -> None:
        """Take what the venue still had of the missing trades."""
        self._keep(self.sequencer.fill(repaired))

    def give_up(self) -> tuple[int, int] | None:
        """Mark the hole as a gap; return its first and last id."""
        missing = self.sequencer.missing
        if missing is not None:
            self.stats["gaps"] += 1
            self.stats["missing"] += missing[1] - missing[0] + 1
            self._keep(self.sequencer.give_up())
        return missing

    def close(self) -> None:
        """Let go of the files."""
        self.ticks.close()
        self.bars.close()

    def _keep(self, ticks: Ticks, *, count_repaired: bool = True) -> None:
        self.stats["duplicates"] = self._duplicates + self.sequencer.duplicates
        if len(ticks) == 0:
            return
        ticks = ticks.copy()
        if count_repaired:
            self.stats["repaired"] += int(np.count_nonzero(ticks["flags"] & REPAIRED))
        self._write_bars(ticks)
        self.stats["late"] += int(np.count_nonzero(ticks["flags"] & LATE))
        self.ticks.append(ticks)

    def _write_bars(self, ticks: Ticks) -> None:
        """Fold ticks; write the bars that are new (a restart folds known ticks once more)."""
        bars = self._builder.update(ticks)
        new = bars[bars["ts_open"] > self._newest_bar]
        if len(new):
            self._newest_bar = int(new["ts_open"][-1])
            self.bars.append(new)

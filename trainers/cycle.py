"""One symbol's learning: forecast each bar, and every cycle score, cut, learn, log.

    bar ring -> forecasts -> labels -> scores     test ...
    cut -> snapshot -> learners                   ... then train

A bar is forecast, and the forecast before it scored, by the version that served when the bar
came. A cycle learns only from bars that were final at its cut. The cycle's clock is the
market's: the event time of the newest tick.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from streaming.cache import REJECTED, ConnectionState, bar_ring, tick_cache
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.learners.learner import Learner
from trainers.scoring.scores import Scores
from trainers.seat import Seat
from trainers.tracking.tracker import Tracker


class Lane:
    """The learning of one symbol.

    Args:
        config: the session's settings.
        session: the session's folder.
        symbol: the market.
        learners: by name, each with the id of its run.
        tracker: where metrics, status and events go.
    """

    def __init__(
        self,
        config: SessionConfig,
        session: Path,
        symbol: str,
        learners: dict[str, tuple[Learner, str]],
        tracker: Tracker,
    ) -> None:
        self.config, self.symbol, self.tracker = config, symbol, tracker
        self.ticks, self.ring = tick_cache(session, symbol), bar_ring(session, symbol)
        self.seats = {
            name: Seat(
                learner,
                run_id,
                Scores(confidence=config.confidence, fee_bps=config.fee_bps),
                tracker,
            )
            for name, (learner, run_id) in learners.items()
        }
        self.cycle = 0
        self.overruns = 0
        self.wanted = False  # a cycle was asked for by hand
        self.paused = False
        self._bars: Bars = self.ring.read(0, 0).rows
        self._rate = 0.0  # ticks a second up to the last cut
        self._next_bar = 0  # seq of the next bar to read
        self._next_cut = 0  # market time, ns
        self._last_cut = (0, 0)  # ticks seen, market time ns

    @property
    def n_ticks(self) -> int:
        """Ticks received since the session began."""
        return self.ticks.committed

    @property
    def n_bars(self) -> int:
        """Final bars read since the session began."""
        return self._next_bar

    @property
    def ended(self) -> bool:
        """Whether the tape was played to its end."""
        return int(self.ticks.stats["state"]) == ConnectionState.ENDED

    @property
    def has_new_bars(self) -> bool:
        """Whether bars have come that no cycle has learned from."""
        return self.ring.committed > self._next_bar or self._last_cut[0] < self.n_ticks

    def advance(self) -> bool:
        """Forecast what is new; run a cycle if it is due, and tell whether it was."""
        last = self.ticks.tail(1)
        cut = last.first + len(last.rows)
        self._take_bars(cut)
        if self.paused or cut < self.config.min_ticks:
            return False
        now = int(last.rows["ts_event"][-1])
        if now < self._next_cut and not self.wanted:
            return False
        self.wanted = False
        self._run_cycle(cut, now)
        return True

    # ---- test

    def _take_bars(self, cut: int) -> None:
        """Read the bars known at ``cut``; score and forecast at each of them."""
        new = self.ring.read(self._next_bar)
        rows = new.rows[new.rows["final_seq"] <= cut]
        if len(rows) == 0:
            return
        self._next_bar = new.first + len(rows)
        known = len(self._bars)
        self._bars = np.concatenate([self._bars, rows])
        self._bars.flags.writeable = False  # all learners are handed the same
        for seat in self.seats.values():
            for i in range(known, len(self._bars)):
                seat.test(self._bars[: i + 1], self.cycle)
        self._bars = self._bars[-self.config.history_bars :]

    # ---- train

    def _run_cycle(self, cut: int, now: int) -> None:
        self.cycle += 1
        self._rate = self._ticks_per_second(cut, now)
        self._last_cut = (cut, now)
        snapshot = Snapshot(self.symbol, self.cycle, cut, self._bars, self.config.seed)
        for seat in self.seats.values():
            seat.train(snapshot)
            seat.log(self.cycle)
        self.tracker.event(self.words())
        self._next_cut = next_cut(self._next_cut, now, int(self.config.cycle_seconds * NS_PER_S))
        newest = int(self.ticks.tail(1).rows["ts_event"][-1])
        self.overruns += newest >= self._next_cut  # training took longer than a cycle

    # ---- say

    def words(self) -> str:
        """Say in one line what the last cycle came to."""
        whose = f"{self.symbol} " if len(self.config.symbol_list) > 1 else ""
        return f"{whose}cycle {self.cycle}  |  " + "  |  ".join(
            seat.words() for seat in self.seats.values()
        )

    def _ticks_per_second(self, cut: int, now: int) -> float:
        """Return the rate since the last cut, or of the whole cache before the first."""
        seen, since = self._last_cut
        if since == 0:
            oldest = self.ticks.read(0, cut)
            seen, since = oldest.first, int(oldest.rows["ts_event"][0])
        return (cut - seen) * NS_PER_S / max(now - since, 1)

    def stream_metrics(self) -> dict[str, float]:
        """Return the stream's state at the last cut, without the prefix ``stream/``."""
        stats: Any = self.ticks.stats
        span = self.ticks.read()
        times = span.rows["ts_event"]
        rejected = {f"rejected_{reason}": float(stats[f"rejected_{reason}"]) for reason in REJECTED}
        names = ("gaps", "missing", "repaired", "backfilled", "late", "duplicates", "reconnects")
        return {
            "ticks": float(self._last_cut[0]),
            "cached": float(len(span.rows)),
            "bars": float(self._next_bar),
            "ticks_per_second": self._rate,
            "span_seconds": float(times[-1] - times[0]) / NS_PER_S if len(times) else 0.0,
            "lag_ms": float(stats["lag_us"]) / 1000,
            "overruns": float(self.overruns),
            "rejected": sum(rejected.values()),
            **{name: float(stats[name]) for name in names},
            **rejected,
        }


def next_cut(due: int, now: int, step: int) -> int:
    """Return when the next cycle is due, ns of market time.

    Cycles stay on a grid of ``step``; one asked for before its time moves nothing, and a silence
    skips what would have been cuts without anything new.

    Args:
        due: when the cycle just run was due; 0 for the first, which starts the grid.
        now: market time of its cut.
        step: from one cycle to the next.
    """
    if due == 0:
        return now + step
    return due + ((now - due) // step + 1) * step if now >= due else due


def wait_for_rings(session: Path, symbols: list[str], stopped: Any) -> bool:
    """Wait until the feed has made its files; False if the session was stopped before."""
    while not stopped():
        with contextlib.suppress(FileNotFoundError):
            for symbol in symbols:
                tick_cache(session, symbol)
                bar_ring(session, symbol)
            return True
        time.sleep(0.05)
    return False

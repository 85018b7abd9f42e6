"""One symbol's learning: forecast each bar, and every cycle score, cut, learn, log.

    bar ring -> forecasts -> labels -> scores     test ...
    cut -> snapshot -> learners                   ... then train

A bar is forecast, and the forecast before it scored, by the version that served when the bar
came. A cycle learns only from bars that were final at its cut. The cycle's clock is the
market's: the event time of the newest tick.
"""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.snapshot import NotEnoughBarsError, Snapshot
from streaming.bars import Bars
from streaming.cache import REJECTED, ConnectionState, bar_ring, tick_cache
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.learners.learner import Learner, as_forecast
from trainers.scoring.scores import Scores
from trainers.tracking.tracker import Tracker

log = logging.getLogger(__name__)

# After n errors in a row a learner rests 2^(n-1) - 1 cycles, at most this many.
LONGEST_REST = 32


@dataclass
class Seat:
    """A learner at work: its run, its scores, how it is doing."""

    learner: Learner
    run_id: str
    scores: Scores
    errors: int = 0
    rests_until: int = 0  # the cycle in which it is tried again
    report: dict[str, float] = field(default_factory=dict)
    status: str = "IDLE"
    status_text: str = "warming up"


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
                learner, run_id, Scores(confidence=config.confidence, fee_bps=config.fee_bps)
            )
            for name, (learner, run_id) in learners.items()
        }
        self.cycle = 0
        self.overruns = 0
        self.wanted = False  # a cycle was asked for by hand
        self.paused = False
        self._bars: Bars = self.ring.read(0, 0).rows
        self._next_bar = 0  # seq of the next bar to read
        self._next_cut = 0  # market time, ns
        self._last_cut = (0, 0)  # ticks seen, market time ns

    @property
    def n_ticks(self) -> int:
        """Ticks received since the session began."""
        return self.ticks.committed

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
        cut = self.n_ticks
        self._take_bars(cut)
        if self.paused or cut < self.config.min_ticks:
            return False
        now = int(self.ticks.read(cut - 1, cut).rows["ts_event"][-1])
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
        for seat in self.seats.values():
            for i in range(known, len(self._bars)):
                self._test(seat, self._bars[: i + 1])
        self._bars = self._bars[-self.config.history_bars :]

    def _test(self, seat: Seat, bars: Bars) -> None:
        newest = bars[-1]
        close = float(newest["close"])
        seat.scores.label(close, gap=bool(newest["gap"]))
        try:
            seat.scores.forecast(as_forecast(seat.learner.forecast(bars)), close)
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            self._failed(seat, e)

    # ---- train

    def _run_cycle(self, cut: int, now: int) -> None:
        self.cycle += 1
        snapshot = Snapshot(self.symbol, self.cycle, cut, self._bars, self.config.seed)
        for seat in self.seats.values():
            if self.cycle >= seat.rests_until:
                self._train(seat, snapshot)
        self._log(cut, now)
        self._next_cut = next_cut(self._next_cut, now, int(self.config.cycle_seconds * NS_PER_S))
        newest = int(self.ticks.tail(1).rows["ts_event"][-1])
        self.overruns += newest >= self._next_cut  # training took longer than a cycle

    def _train(self, seat: Seat, snapshot: Snapshot) -> None:
        self._set_status(seat, "TRAINING", f"cycle {self.cycle}")
        started = time.perf_counter()
        try:
            report = dict(seat.learner.learn(snapshot) or {})
        except NotEnoughBarsError as e:
            self._set_status(seat, "IDLE", str(e))
            return
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            self._failed(seat, e)
            return
        seat.errors, seat.rests_until = 0, 0
        seat.report = report | {"seconds": time.perf_counter() - started}
        self._set_status(seat, "IDLE", f"learned in cycle {self.cycle}")

    def _failed(self, seat: Seat, error: Exception) -> None:
        if seat.rests_until > self.cycle:
            return  # its forecasts fail with every bar until it is tried again
        seat.errors += 1
        seat.rests_until = self.cycle + min(2 ** (seat.errors - 1), LONGEST_REST)
        seat.report = {}
        name = seat.learner.name
        log.error("%s %s failed", self.symbol, name, exc_info=error)
        text = f"{type(error).__name__}: {error}"
        self._set_status(seat, "ERROR", f"{text}; next try in cycle {seat.rests_until}")
        trace = "".join(traceback.format_exception(error))[-7000:]
        self.tracker.log(seat.run_id, self.cycle, tags={"traceback": trace})
        self.tracker.event(f"{self.symbol} {name} failed: {text}"[:300])

    # ---- log

    def _set_status(self, seat: Seat, status: str, text: str) -> None:
        seat.status, seat.status_text = status, text
        tags = {"status": status, "status_text": text[:500]}
        self.tracker.log(seat.run_id, self.cycle, tags=tags)

    def _log(self, cut: int, now: int) -> None:
        for seat in self.seats.values():
            train = {f"train/{name}": float(value) for name, value in seat.report.items()}
            self.tracker.log(seat.run_id, self.cycle, {**train, **seat.scores.metrics()})
        self.tracker.event(f"{self.symbol} cycle {self.cycle}: {self._summary()}")
        self._rate = self._ticks_per_second(cut, now)
        self._last_cut = (cut, now)

    def _summary(self) -> str:
        return ", ".join(f"{name} {seat.status_text}" for name, seat in self.seats.items())

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

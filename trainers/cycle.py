"""One symbol's learning: forecast each bar, and every cycle score, cut, learn, log.

    bar ring -> forecasts -> ledger -> scores     test ...
    cut -> snapshot -> learners                   ... then train

A forecast is made when its bar is the newest, by the version that serves then, and written down
before the next bar is there; where that was too late, the ledger says missed. A cycle learns from
bars that were final at its cut and no others. The cycle's clock is the market's: the event time of
the newest tick.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.quotes import SPREAD_BARS, half_spread_bps, mids
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from streaming.cache import REJECTED, ConnectionState, bar_ring, tick_cache
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.recording.ledger import Ledger
from trainers.scoreboard import Scoreboard
from trainers.scoring.ledger import FORECAST, MISSED, NO_ACTION, OUTCOME, Forecasts, Outcomes
from trainers.seat import Seat
from trainers.tracking.tracker import Tracker

# Bars that a forecast's hash of its inputs covers: all that the built-in learners look at.
HASHED_BARS = 110


class Lane:
    """The learning of one symbol.

    Args:
        config: the session's settings.
        session: the session's folder.
        symbol: the market.
        learners: those that the session is about.
        baselines: what they are compared with.
        tracker: where metrics, status and events go.
    """

    def __init__(
        self,
        config: SessionConfig,
        session: Path,
        symbol: str,
        learners: list[Seat],
        baselines: list[Seat],
        tracker: Tracker,
    ) -> None:
        self.config, self.symbol, self.tracker = config, symbol, tracker
        self.ticks, self.ring = tick_cache(session, symbol), bar_ring(session, symbol)
        self.learners, self.baselines = learners, baselines
        self.seats = [*learners, *baselines]
        self.ledger = Ledger(session, symbol, [seat.learner.name for seat in self.seats])
        self.scoreboard = Scoreboard(self.ledger, learners, baselines, config.fee_bps)
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
        """Read the bars known at ``cut`` and write the ledger's rows of each."""
        new = self.ring.read(self._next_bar)
        rows = new.rows[new.rows["final_seq"] <= cut]
        if len(rows) == 0:
            return
        self._next_bar = new.first + len(rows)
        known = np.concatenate([self._bars, rows])[-self.config.history_bars - len(rows) :]
        known.flags.writeable = False  # all learners are handed the same
        self._bars = known[-self.config.history_bars :]
        written = self.ledger.last_bar
        if self.cycle == 0 and written < 0:
            return  # nobody has learned yet, and these may be history from before the session
        for end in range(len(known) - len(rows) + 1, len(known) + 1):
            if known["ts_open"][end - 1] > written:  # else by the trainer before this one
                newest = end == len(known)
                self._write(known[:end], self._forecasts() if newest else self._missed())

    def _forecasts(self) -> Forecasts:
        """Ask every learner about the bar after the newest."""
        rows = np.zeros(len(self.seats), FORECAST)
        rows["inputs"] = _digest(self._bars[-HASHED_BARS:])
        for row, seat in zip(rows, self.seats, strict=True):
            row["status"], said = seat.forecast(self._bars, self.cycle)
            row["probability"] = np.nan if said.probability is None else said.probability
            row["action"] = NO_ACTION if said.action is None else said.action
            row["signal"], row["version"] = seat.signal(said), seat.version
        if self.ring.committed > self._next_bar:
            return self._missed()  # the label was there before the forecast was written
        rows["latency_us"] = (time.time_ns() - self._known_at()) // 1000
        return rows

    def _missed(self) -> Forecasts:
        rows = np.zeros(len(self.seats), FORECAST)
        rows["status"], rows["probability"], rows["action"] = MISSED, np.nan, NO_ACTION
        rows["version"] = [seat.version for seat in self.seats]
        return rows

    def _write(self, known: Bars, forecasts: Forecasts) -> None:
        """Append the rows of the newest bar of ``known``."""
        outcome = outcome_of(known[-SPREAD_BARS:])
        forecasts["bar"], forecasts["gap"] = outcome["bar"], outcome["gap"]
        forecasts["learner"] = np.arange(len(forecasts))
        self.ledger.append(outcome, forecasts)

    def _known_at(self) -> int:
        """Return when the tick came that made the newest bar final, ns."""
        seq = int(self._bars["final_seq"][-1]) - 1
        rows = self.ticks.read(seq, seq + 1).rows
        return int(rows["ts_init"][0]) if len(rows) else time.time_ns()

    # ---- train

    def _run_cycle(self, cut: int, now: int) -> None:
        self.cycle += 1
        self._rate = self._ticks_per_second(cut, now)
        self._last_cut = (cut, now)
        snapshot = Snapshot(self.symbol, self.cycle, cut, self._bars, self.config.seed)
        for seat in self.seats:
            if seat in self.learners:  # a baseline is done before anyone could read it
                seat.announce(self.cycle)
            seat.train(snapshot)
            self._take_bars(self.ticks.committed)  # learning takes longer than some bars
        for alarm in self.scoreboard.update():
            self.tracker.event(alarm)
        for seat in self.seats:
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
            seat.words() for seat in self.learners
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


def outcome_of(bars: Bars) -> Outcomes:
    """Return the ledger's row ``(1,)`` of the newest of ``bars``."""
    newest = bars[-1]
    row = np.zeros(1, OUTCOME)
    row["bar"], row["close"], row["gap"] = newest["ts_open"], newest["close"], newest["gap"]
    row["mid"], row["half_spread_bps"] = mids(bars)[-1], half_spread_bps(bars)[-1]
    return row


def _digest(bars: Bars) -> int:
    """Return 64 bits that tell bars apart."""
    return int.from_bytes(hashlib.blake2b(bars.tobytes(), digest_size=8).digest(), "little")


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

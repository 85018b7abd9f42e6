"""One symbol's learning: forecast each bar, and every cycle score, cut, learn, log.

    bars -> forecasts -> ledger -> scores     test ...
    cut -> snapshot -> learners               ... then train

A forecast is made when its bar is the newest, by the version that serves then, and written down
before the next bar is there; where that was too late, the ledger says missed. A cycle learns from
bars that were final at its cut and no others. The cycle's clock is the market's: the event time of
the newest tick.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.digest import digest
from datamodules.quotes import SPREAD_BARS, half_spread_bps, mids
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from streaming.cache import REJECTED, bar_ring, tick_cache
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.drivers.schedule import IDLE, Cut, End, LiveSchedule, Schedule, Taking
from trainers.drivers.streams import Stream
from trainers.engine.champion_challenger import Contest
from trainers.engine.learner_runner import Log, Seat
from trainers.engine.scorecard import Scoreboard
from trainers.learners.champion import Model
from trainers.recording.ledger import Ledger
from trainers.scoring.ledger import FORECAST, MISSED, NO_ACTION, OUTCOME, Forecasts, Outcomes

# Bars that a forecast's hash of its inputs covers: all that the built-in learners look at.
HASHED_BARS = 110


class Lane:
    """The learning of one symbol.

    Args:
        config: the session's settings.
        symbol: the market.
        stream: its ticks and bars.
        ledger: of the symbol; its names are those of the seats, in this order.
        learners: those that the session is about.
        contests: of those that have champions, which forecast beside them.
        baselines: what they are compared with.
        tracker: where metrics, status and events go.
        schedule: decides when things happen.

    Attributes:
        next_bar: seq of the next bar to take.
        bars: the newest bars taken, as many as a cycle may learn from.
        cycle: number of the cycle at hand or last run.
        verified: rows that were in the ledger already, and are the same computed again.
    """

    def __init__(
        self,
        config: SessionConfig,
        symbol: str,
        stream: Stream,
        ledger: Ledger,
        learners: list[Seat],
        contests: list[Contest],
        baselines: list[Seat],
        tracker: Log,
        schedule: Schedule,
    ) -> None:
        self.config, self.symbol, self.tracker = config, symbol, tracker
        self.stream, self.ledger, self.schedule = stream, ledger, schedule
        self.learners, self.contests, self.baselines = learners, contests, baselines
        champions = [contest.champion for contest in contests]
        self.seats = [*learners, *champions, *baselines]
        self.scoreboard = Scoreboard(ledger, [*learners, *champions], baselines, config.fee_bps)
        self.cycle = self.overruns = 0
        self.wanted = False  # a cycle was asked for by hand
        self.paused = False
        self.next_bar = 0
        self.bars: Bars = stream.bars(0, 0).rows
        self.stream_metrics: dict[str, float] = {}  # of the last cut
        self.wall_ms = self.now = 0  # our time and the market's, ns, of the last cut
        self._next_cut = 0  # market time, ns
        self._last_cut = (0, 0)  # ticks seen, market time ns
        self._hashed_bar = -1  # the newest whose rows are in a cycle's hash, ns

    @property
    def newest_bar(self) -> int:
        """The newest bar taken, ns; -1 before the first."""
        return int(self.bars["ts_open"][-1]) if len(self.bars) else -1

    @property
    def has_new_bars(self) -> bool:
        """Whether anything has come that no cycle has learned from."""
        return self.stream.n_bars > self.next_bar or self._last_cut[0] < self.stream.n_ticks

    def advance(self, live: LiveSchedule) -> bool:
        """Forecast what is new; run a cycle if it is due, and tell whether it was."""
        last = self.stream.ticks(self.stream.n_ticks - 1)
        ticks = last.first + len(last.rows)
        self.take_bars(ticks)
        if self.paused or ticks < self.config.min_ticks:
            return False
        now = int(last.rows["ts_event"][-1])
        if now < self._next_cut and not self.wanted:
            return False
        self.run_cycle(live.cut(self, ticks, now))
        return True

    # ---- test

    def take_bars(self, known: int, place: str = IDLE) -> None:
        """Take the bars that ``known`` ticks have made final; write the ledger's rows of each.

        Args:
            known: ticks seen.
            place: between cycles, or after which learner's training.
        """
        taking = self.schedule.taking(self, known, place)
        if taking is None:
            return
        new = self.stream.bars(self.next_bar, taking.to)
        self.next_bar = new.first + len(new.rows)
        window = np.concatenate([self.bars, new.rows])[-self.config.history_bars - len(new.rows) :]
        window.flags.writeable = False  # all learners are handed the same
        self.bars = window[-self.config.history_bars :]
        if self.cycle == 0:
            # Nobody has learned yet, and these may be history from before the session.
            self.schedule.took(self, taking._replace(asked=False), place)
            return
        for end in range(len(window) - len(new.rows) + 1, len(window)):
            self._write(window[:end], self._missed())
        asked, forecasts = self._forecasts(taking)
        self._write(window, forecasts)
        self.schedule.took(self, taking._replace(asked=asked), place)

    def _forecasts(self, taking: Taking) -> tuple[bool, Forecasts]:
        """Ask every learner about the bar after the newest, unless it is known to be too late.

        Returns:
            Whether they were in time, and the rows.
        """
        if taking.asked is False:
            return False, self._missed()
        rows = np.zeros(len(self.seats), FORECAST)
        rows["inputs"] = _digest(self.bars[-HASHED_BARS:])
        for row, seat in zip(rows, self.seats, strict=True):
            row["status"], said = seat.forecast(self.bars, self.cycle)
            row["probability"] = np.nan if said.probability is None else said.probability
            row["action"] = NO_ACTION if said.action is None else said.action
            row["signal"], row["version"] = seat.signal(said), seat.version
        if taking.asked is None and self.stream.n_bars > self.next_bar:
            return False, self._missed()  # the label was there before the forecast was written
        rows["latency_us"] = self.schedule.latency_us(self, self._known_at())
        return True, rows

    def _missed(self) -> Forecasts:
        rows = np.zeros(len(self.seats), FORECAST)
        rows["status"], rows["probability"], rows["action"] = MISSED, np.nan, NO_ACTION
        rows["version"] = [seat.version for seat in self.seats]
        return rows

    def _write(self, known: Bars, forecasts: Forecasts) -> None:
        """Append the rows of the newest bar of ``known``, or see that they are there already."""
        outcome = outcome_of(known[-SPREAD_BARS:])
        forecasts["bar"], forecasts["gap"] = outcome["bar"], outcome["gap"]
        forecasts["learner"] = np.arange(len(forecasts))
        if not self.ledger.has(int(outcome["bar"][0])):
            self.ledger.append(outcome, forecasts)
        elif wrong := self.ledger.differs(outcome, forecasts):
            self.tracker.event(f"{self.symbol}: computed again after a restart, {wrong}")

    def _known_at(self) -> int:
        """Return when the tick came that made the newest bar final, ns."""
        seq = int(self.bars["final_seq"][-1]) - 1
        rows = self.stream.ticks(seq, seq + 1).rows
        return int(rows["ts_init"][0]) if len(rows) else time.time_ns()

    # ---- train

    def run_cycle(self, cut: Cut) -> None:
        """Learn from what was known at a cut, score, log."""
        self.cycle, self.wanted = cut.cycle, False
        self.wall_ms, self.now = cut.wall_ms, cut.now
        self.stream_metrics = self._stream_metrics(cut)
        snapshot = Snapshot(self.symbol, self.cycle, cut.ticks, self.bars, self.config.seed)
        stages = {"ticks": self._ticks_digest(cut), "bars": digest(self.bars)}
        self._last_cut = (cut.ticks, cut.now)
        for seat in (*self.learners, *self.baselines):
            if seat in self.learners:  # a baseline is done before anyone could read it
                seat.announce(self.cycle)
            seat.train(snapshot)
            # Learning takes longer than some bars.
            self.take_bars(self.stream.n_ticks, seat.learner.name)
        for alarm in self.scoreboard.update(self.newest_bar):
            self.tracker.event(alarm)
        for contest in self.contests:
            rivals = self.scoreboard.rivals(contest.challenger.learner.kind)
            contest.judge(self.scoreboard.scored, rivals)
            contest.challenger.live |= contest.metrics()
        self._end(cut, stages)
        for seat in self.seats:
            seat.log(self.cycle, cut.wall_ms)
        self.tracker.event(self.words(), cut.wall_ms / 1000)

    def _end(self, cut: Cut, stages: dict[str, Any]) -> None:
        """Have the schedule say what was measured, and write down what was computed."""
        step = int(self.config.cycle_seconds * NS_PER_S)
        self._next_cut = next_cut(self._next_cut, cut.now, step)
        newest = self.stream.ticks(self.stream.n_ticks - 1).rows["ts_event"]
        seconds = {seat.learner.name: seat.seconds for seat in self.seats if seat.report}
        measured = End(seconds, bool(newest[-1] >= self._next_cut))
        hashes = {
            **stages,
            "learners": {seat.learner.name: seat.digests() for seat in self.seats},
            "forecasts": self._forecasts_digest(),
        }
        end = self.schedule.end(self, self.cycle, measured, hashes)
        self.overruns += end.overran
        self.stream_metrics["overruns"] = float(self.overruns)
        for seat in self.seats:
            seat.seconds = end.seconds.get(seat.learner.name, 0.0)

    def _ticks_digest(self, cut: Cut) -> str:
        rows = self.stream.ticks(self._last_cut[0], cut.ticks)
        return digest(rows.first, rows.rows)

    def _forecasts_digest(self) -> str:
        """Return the hash of the ledger's rows since the cycle before, but for latencies."""
        outcomes, forecasts = self.ledger.between(self._hashed_bar, self.newest_bar)
        self._hashed_bar = self.newest_bar
        columns = [name for name in FORECAST.names or () if name != "latency_us"]
        return digest(outcomes, [forecasts[name] for name in columns])

    # ---- say

    def words(self) -> str:
        """Say in one line what the last cycle came to."""
        whose = f"{self.symbol} " if len(self.config.symbol_list) > 1 else ""
        return f"{whose}cycle {self.cycle}  |  " + "  |  ".join(
            seat.words() for seat in self.learners
        )

    def _stream_metrics(self, cut: Cut) -> dict[str, float]:
        """Return the stream's state at a cut, without the prefix ``stream/``."""
        seen, since = self._last_cut
        if since == 0:  # the first cycle: the rate of the whole cache
            seen, since = cut.oldest, cut.oldest_ts
        rejected = {f"rejected_{reason}": cut.stats[f"rejected_{reason}"] for reason in REJECTED}
        names = ("gaps", "missing", "repaired", "backfilled", "late", "duplicates", "reconnects")
        return {
            "ticks": float(cut.ticks),
            "cached": float(cut.ticks - cut.oldest),
            "bars": float(self.next_bar),
            "ticks_per_second": (cut.ticks - seen) * NS_PER_S / max(cut.now - since, 1),
            "span_seconds": (cut.now - cut.oldest_ts) / NS_PER_S,
            "lag_ms": cut.stats["lag_us"] / 1000,
            "rejected": sum(rejected.values()),
            **{name: cut.stats[name] for name in names},
            **rejected,
        }

    # ---- resume

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to go on as this one, between two cycles."""
        return {
            **{name: getattr(self, name) for name in STATE},
            "alarmed": self.scoreboard.alarmed,
            "contests": {contest.name: contest.state_dict() for contest in self.contests},
            "seats": {seat.learner.name: seat.state_dict() for seat in self.seats},
        }

    def load_state_dict(
        self, state: dict[str, Any], models: Callable[[str, int], Model | None]
    ) -> list[str]:
        """Become the lane that ``state`` was taken from; return who cannot be what it was.

        Args:
            state: as ``state_dict`` returned it.
            models: gives a learner's registered version, by name and version.
        """
        for name in STATE:
            setattr(self, name, state[name])
        self.scoreboard.alarmed = state["alarmed"]
        self.bars = self.stream.bars(self.next_bar - self.config.history_bars, self.next_bar).rows
        self.bars.flags.writeable = False
        seats = state["seats"]
        forgetful = [
            seat.learner.name
            for seat in self.seats
            if not seat.load_state_dict(seats[seat.learner.name])
        ]
        for contest in self.contests:
            known = state["contests"][contest.name]
            contest.load_state_dict(known, models(contest.name, known["version"]))
        self.scoreboard.refresh(self.newest_bar)
        return forgetful


# What a lane has besides its seats.
STATE = ("cycle", "overruns", "wanted", "paused", "next_bar", "_next_cut", "_last_cut",
         "_hashed_bar")  # fmt: skip


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

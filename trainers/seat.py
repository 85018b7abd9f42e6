"""A learner at work on one symbol: its run, its scores, how it is doing.

Whatever a learner raises stops here: it becomes the status ERROR with its text and traceback, and
the learner rests for 1, 2, 4, ... cycles before it is tried again. The others go on.
"""

from __future__ import annotations

import logging
import time
import traceback

from datamodules.snapshot import NotEnoughBarsError, Snapshot
from streaming.bars import Bars
from trainers.learners.learner import Learner, as_forecast
from trainers.scoring.scores import Scores
from trainers.tracking.tracker import Tracker

log = logging.getLogger(__name__)

LONGEST_REST = 32  # cycles
TAG_CHARS = 7000  # of a traceback's end; MLflow cuts tags at 8000


class Seat:
    """One learner of one symbol.

    Args:
        learner: who sits here.
        run_id: its MLflow run.
        scores: what its forecasts came to.
        tracker: where status and metrics go.
    """

    def __init__(self, learner: Learner, run_id: str, scores: Scores, tracker: Tracker) -> None:
        self.learner, self.run_id, self.scores = learner, run_id, scores
        self.status, self.status_text = "IDLE", "warming up"
        self.errors = 0  # in a row
        self.rests_until = 0  # the cycle in which it is tried again
        self.report: dict[str, float] = {}  # of the last cycle, if it learned then
        self._tracker = tracker

    def test(self, bars: Bars, cycle: int) -> None:
        """Score the forecast of the newest of ``bars``, then make the next one."""
        newest = bars[-1]
        close = float(newest["close"])
        self.scores.label(close, gap=bool(newest["gap"]))
        try:
            self.scores.forecast(as_forecast(self.learner.forecast(bars)), close)
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            if self.rests_until <= cycle:  # else it fails with every bar until it has learned
                self._failed(e, cycle)

    def train(self, snapshot: Snapshot) -> None:
        """Learn from a snapshot, unless the learner rests."""
        cycle = snapshot.cycle
        if cycle < self.rests_until:
            return
        if self.rests_until == 0:
            self.errors = 0  # a whole cycle without one, forecasts included
        self.status, self.status_text = "TRAINING", f"cycle {cycle}"
        self._tracker.log(self.run_id, cycle, tags=self._tags())
        started = time.perf_counter()
        try:
            found = self.learner.learn(snapshot) or {}
            report = {str(name): float(value) for name, value in found.items()}
        except NotEnoughBarsError as e:
            self.status, self.status_text = "IDLE", str(e)
            return
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            self._failed(e, cycle)
            return
        self.rests_until = 0
        self.report = report | {"seconds": time.perf_counter() - started}
        self.status, self.status_text = "IDLE", f"learned in cycle {cycle}"

    def log(self, cycle: int) -> None:
        """Log what the cycle came to, and the status after it."""
        train = {f"train/{name}": value for name, value in self.report.items()}
        self._tracker.log(self.run_id, cycle, {**train, **self.scores.metrics()}, self._tags())

    def words(self) -> str:
        """Say how the learner is doing, for a line of a person's reading."""
        name, live = self.learner.name, self.scores.metrics()
        if self.status == "ERROR" or not self.report:
            return f"{name}: {self.status_text}"
        words = [f"loss {self.report['loss']:.4f}"] if "loss" in self.report else []
        if "live/accuracy" in live:
            words.append(f"live accuracy {live['live/accuracy']:.1%} of {live['live/scored']:.0f}")
        elif self.learner.kind == "forecaster":
            words.append("nothing scored yet")
        if "live/win_rate" in live:
            words.append(f"win rate {live['live/win_rate']:.0%} of {live['live/trades']:.0f}")
        elif self.learner.kind == "agent":
            words.append("no trades yet")
        return f"{name}: {', '.join(words)}"

    def _failed(self, error: Exception, cycle: int) -> None:
        self.errors += 1
        self.rests_until = cycle + min(2 ** (self.errors - 1), LONGEST_REST)
        self.report = {}
        name, text = self.learner.name, f"{type(error).__name__}: {error}"[:300]
        log.error("%s failed", name, exc_info=error)
        self.status = "ERROR"
        self.status_text = f"{text}; next try in cycle {self.rests_until}"
        trace = "".join(traceback.format_exception(error))[-TAG_CHARS:]
        self._tracker.log(self.run_id, cycle, tags={**self._tags(), "traceback": trace})
        self._tracker.event(f"{name} failed: {text}")

    def _tags(self) -> dict[str, str]:
        return {"status": self.status, "status_text": self.status_text[:500]}

"""A learner at work on one symbol: its run, what it says at each bar, how it is doing.

Whatever a learner raises stops here: it becomes the status ERROR with its text and traceback, and
the learner rests for 1, 2, 4, ... cycles before it is tried again. The others go on.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from typing import Any, Protocol

from datamodules.digest import digest
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import Action
from streaming.bars import Bars
from trainers.learners.learner import Forecast, Learner, as_forecast
from trainers.scoring.ledger import FAILED, MADE, SILENT

log = logging.getLogger(__name__)

LONGEST_REST = 32  # cycles

# What a seat has besides its learner.
STATE = ("version", "status", "status_text", "errors", "rests_until", "report", "seconds",
         "confidence")  # fmt: skip

TAG_CHARS = 7000  # of a traceback's end; MLflow cuts tags at 8000


class Log(Protocol):
    """Where metrics, status and events go: MLflow, by way of ``trainers.tracking.tracker``."""

    def log(
        self,
        run_id: str,
        step: int,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        wall_ms: int | None = None,
    ) -> None:
        """Log metrics and tags of one run at a step."""

    def event(self, text: str, ts: float | None = None) -> None:
        """Tell what a person should know."""


class Seat:
    """One learner of one symbol.

    Args:
        learner: who sits here.
        run_id: its MLflow run.
        confidence: probability from which a forecast is a trade signal.
        tracker: where status and metrics go.

    Attributes:
        version: the cycle in which the weights that forecast were learned; 0 before the first.
        live: its scores, by metric name, of the last cycle.
        seconds: that its last training took.
    """

    def __init__(self, learner: Learner, run_id: str, confidence: float, tracker: Log) -> None:
        self.learner, self.run_id, self.confidence = learner, run_id, confidence
        self.status, self.status_text = "IDLE", "warming up"
        self.errors = 0  # in a row
        self.rests_until = 0  # the cycle in which it is tried again
        self.report: dict[str, float] = {}  # of the last cycle, if it learned then
        self.live: dict[str, float] = {}
        self.version = 0
        self.seconds = 0.0
        self._tracker = tracker

    def forecast(self, bars: Bars, cycle: int) -> tuple[int, Forecast]:
        """Return the status of a ledger's row, and what the learner says after ``bars``."""
        try:
            said = as_forecast(self.learner.forecast(bars))
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            if self.rests_until <= cycle:  # else it fails with every bar until it has learned
                self._failed(e, cycle)
            return FAILED, Forecast()
        return (SILENT, Forecast()) if said is None else (MADE, said)

    def signal(self, forecast: Forecast) -> int:
        """Return what a forecast says to do: 0 HOLD, 1 BUY, 2 SELL."""
        if forecast.probability is None:
            return forecast.action or Action.HOLD
        if forecast.probability >= self.confidence:
            return Action.BUY
        return Action.SELL if forecast.probability <= 1 - self.confidence else Action.HOLD

    def announce(self, cycle: int) -> None:
        """Say that the learner is about to learn, unless it rests."""
        if cycle >= self.rests_until:
            self.status, self.status_text = "TRAINING", f"cycle {cycle}"
            self._tracker.log(self.run_id, cycle, tags=self._tags())

    def train(self, snapshot: Snapshot) -> None:
        """Learn from a snapshot, unless the learner rests."""
        cycle = snapshot.cycle
        if cycle < self.rests_until:
            return
        if self.rests_until == 0:
            self.errors = 0  # a whole cycle without one, forecasts included
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
        self.rests_until, self.version = 0, cycle
        self.report, self.seconds = report, time.perf_counter() - started
        self.status, self.status_text = "IDLE", f"learned in cycle {cycle}"

    def metrics(self) -> dict[str, float]:
        """Return what the last cycle came to."""
        train = {f"train/{name}": value for name, value in self.report.items()}
        if train:
            train["train/seconds"] = self.seconds
        return {**train, **self.live}

    def log(self, cycle: int, wall_ms: int) -> None:
        """Log what the cycle came to, and the status after it."""
        self._tracker.log(self.run_id, cycle, self.metrics(), self._tags(), wall_ms)

    def digests(self) -> dict[str, str]:
        """Return hashes of what the last cycle learned from and of what came of it."""
        found: dict[str, str] = dict(getattr(self.learner, "digests", {}))
        if hasattr(self.learner, "state_dict"):
            found["weights"] = digest(self.learner.state_dict())
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to go on as this one."""
        learner = getattr(self.learner, "state_dict", lambda: None)()
        return {**{name: getattr(self, name) for name in STATE}, "learner": learner}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Become the seat that ``state`` was taken from; tell whether its learner could."""
        if state["learner"] is None:
            return False
        for name in STATE:
            setattr(self, name, state[name])
        self.learner.load_state_dict(state["learner"])  # type: ignore[attr-defined]  # Resumable
        return True

    def words(self) -> str:
        """Say how the learner is doing, for a line of a person's reading."""
        name, live = self.learner.name, self.live
        if self.status == "ERROR" or not self.report:
            return f"{name}: {self.status_text}"
        words = [f"loss {self.report['loss']:.4f}"] if "loss" in self.report else []
        if "live/accuracy" in live:
            words.append(f"live accuracy {live['live/accuracy']:.1%} of {live['live/scored']:.0f}")
        elif self.learner.kind == "forecaster":
            words.append("nothing scored yet")
        if "live/edge_ci" in live:
            words.append(f"edge {live['live/edge']:+.3f} ± {live['live/edge_ci']:.3f} nats")
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

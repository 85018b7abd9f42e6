"""One learner at work: asks it, teaches it, and knows how it is doing.

Whatever a learner raises stops here. It becomes the status ERROR with its text and traceback, and
the learner rests for 1, 2, 4, ... cycles before it is tried again. The others go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

from datamodules.digest import digest
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import Action
from streaming.bars import Bars
from streaming.events import Code
from trainers.engine.commands import Command, Happened, RunUpdate
from trainers.learners.learner import Forecast, Learner, Resumable, Traced, as_forecast
from trainers.names import TRAIN, LearnerKind, Status, Tag
from trainers.scoring.ledger import FAILED, MADE, SILENT

LONGEST_REST = 32  # cycles

# What a runner has besides its learner, by attribute.
SAVED = ("version", "status", "status_text", "errors", "rests_until", "report", "seconds",
         "confidence")  # fmt: skip

TAG_CHARS = 7000  # of a traceback's end; MLflow cuts tags at 8000


class LearnerRunner:
    """Runs one learner.

    Args:
        learner: the learner.
        confidence: probability from which a forecast is a trade signal.

    Attributes:
        version: the cycle in which the weights that forecast were learned; 0 before the first.
        report: its metrics of the last training, without the prefix ``train/``.
        live: its scores, by metric name, of the last cycle.
        seconds: duration of its last training.
    """

    def __init__(self, learner: Learner, confidence: float) -> None:
        self.learner, self.confidence = learner, confidence
        self.status, self.status_text = Status.IDLE.value, "warming up"
        self.errors = 0  # in a row
        self.rests_until = 0  # the cycle in which it is tried again
        self.report: dict[str, float] = {}
        self.live: dict[str, float] = {}
        self.version = 0
        self.seconds = 0.0

    @property
    def name(self) -> str:
        """The learner's name."""
        return self.learner.name

    @property
    def is_agent(self) -> bool:
        """Whether it decides what to do instead of forecasting."""
        return self.learner.kind == LearnerKind.AGENT

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its run that tell how it is doing."""
        return {Tag.STATUS: self.status, Tag.STATUS_TEXT: self.status_text[:500]}

    def forecast(self, bars: Bars, cycle: int) -> tuple[int, Forecast, list[Command]]:
        """Return the status of a ledger's row, the forecast after ``bars``, and what happened."""
        try:
            found = as_forecast(self.learner.forecast(bars))
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            # One that rests fails with every bar until it has learned: that is told once.
            told = list(self._failed(e, cycle)) if self.rests_until <= cycle else []
            return FAILED, Forecast(), told
        return (SILENT, Forecast(), []) if found is None else (MADE, found, [])

    def signal(self, forecast: Forecast) -> int:
        """Return what to do by a forecast: 0 HOLD, 1 BUY, 2 SELL."""
        if forecast.probability is None:
            return forecast.action or Action.HOLD
        if forecast.probability >= self.confidence:
            return Action.BUY
        return Action.SELL if forecast.probability <= 1 - self.confidence else Action.HOLD

    def train(self, snapshot: Snapshot, *, announce: bool) -> Iterator[Command]:
        """Learn from a snapshot, unless the learner rests."""
        cycle = snapshot.cycle
        if cycle < self.rests_until:
            return
        if announce:
            self.status, self.status_text = Status.TRAINING.value, f"cycle {cycle}"
            yield RunUpdate(self.name, cycle, {}, self.tags)
        if self.rests_until == 0:
            self.errors = 0  # a whole cycle without one, forecasts included
        try:
            found = self.learner.learn(snapshot) or {}
            report = {str(name): float(value) for name, value in found.items()}
        except NotEnoughBarsError as e:
            self.status, self.status_text = Status.IDLE.value, str(e)
            return
        except Exception as e:  # noqa: BLE001  (a learner's own code: it must stop no other)
            yield from self._failed(e, cycle)
            return
        self.rests_until, self.version, self.report = 0, cycle, report
        self.status, self.status_text = Status.IDLE.value, f"learned in cycle {cycle}"

    def take_scores(self, live: dict[str, float]) -> None:
        """Take the scores of the cycle."""
        self.live = live

    def take_evidence(self, metrics: dict[str, float]) -> None:
        """Take what the test against a champion came to, beside the scores."""
        self.live = self.live | metrics

    def take_seconds(self, seconds: float) -> None:
        """Take how long the last turn took."""
        self.seconds = seconds

    def set_confidence(self, confidence: float) -> None:
        """Take forecasts for signals from another probability on."""
        self.confidence = confidence

    def serve_version(self, version: int) -> None:
        """Be told that a registered version forecasts from now on, of a champion; 0 for none."""
        self.version = version
        self.status_text = f"version {version} serves" if version else "no champion yet"

    def metrics(self) -> dict[str, float]:
        """Return what the last cycle came to."""
        train = {f"{TRAIN}{name}": value for name, value in self.report.items()}
        if train:
            train[f"{TRAIN}seconds"] = self.seconds
        return {**train, **self.live}

    def learner_state(self) -> dict[str, Any] | None:
        """Return the learner's state; None if it cannot be resumed."""
        return self.learner.state_dict() if isinstance(self.learner, Resumable) else None

    def digests(self, state: dict[str, Any] | None) -> dict[str, str]:
        """Return hashes of what the last cycle learned from and of the ``state`` after it."""
        found = dict(self.learner.digests) if isinstance(self.learner, Traced) else {}
        if state is not None:
            found["weights"] = digest(state)
        return found

    def saved(self, state: dict[str, Any] | None) -> dict[str, Any]:
        """Return what ``restore`` needs, ``state`` being the learner's."""
        return {**{name: getattr(self, name) for name in SAVED}, "learner": state}

    def restore(self, saved: dict[str, Any]) -> bool:
        """Become the runner that was saved; tell whether the learner could be resumed."""
        if saved["learner"] is None or not isinstance(self.learner, Resumable):
            return False
        for name in SAVED:
            setattr(self, name, saved[name])
        self.learner.load_state_dict(saved["learner"])
        return True

    def text(self) -> str:
        """Return in a few words how the learner is doing."""
        name, live = self.name, self.live
        if self.status == Status.ERROR or not self.report:
            return f"{name}: {self.status_text}"
        parts = [f"loss {self.report['loss']:.4f}"] if "loss" in self.report else []
        if "live/accuracy" in live:
            parts.append(f"live accuracy {live['live/accuracy']:.1%} of {live['live/scored']:.0f}")
        elif not self.is_agent:
            parts.append("nothing scored yet")
        if "live/edge_ci" in live:
            parts.append(f"edge {live['live/edge']:+.3f} ± {live['live/edge_ci']:.3f} nats")
        if "live/win_rate" in live:
            parts.append(f"win rate {live['live/win_rate']:.0%} of {live['live/trades']:.0f}")
        elif self.is_agent:
            parts.append("no trades yet")
        return f"{name}: {', '.join(parts)}"

    def _failed(self, error: Exception, cycle: int) -> Iterator[Command]:
        self.errors += 1
        self.rests_until = cycle + min(2 ** (self.errors - 1), LONGEST_REST)
        self.report = {}
        text = f"{type(error).__name__}: {error}"[:300]
        self.status = Status.ERROR.value
        self.status_text = f"{text}; next try in cycle {self.rests_until}"
        trace = "".join(traceback.format_exception(error))
        yield RunUpdate(self.name, cycle, {}, {**self.tags, Tag.TRACEBACK: trace[-TAG_CHARS:]})
        yield Happened(Code.LEARNER_FAILED, f"{self.name} failed: {text}", trace)

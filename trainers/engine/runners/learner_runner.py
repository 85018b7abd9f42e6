"""Runs one learner: calls its forecasts and its training, and keeps its status and metrics.

Whatever a learner raises ends here, ``sys.exit`` included. It becomes the status ERROR with a text
and a traceback, and the learner is trained again only 1, 2, 4, ... cycles later. Other learners are
not affected.
"""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterator
from typing import Any

from datamodules.digest import digest
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from streaming.bars import Bars
from streaming.events import Code
from trainers.engine.commands import Command, Happened, RunUpdate
from trainers.engine.runners.answers import Answers, together
from trainers.engine.runners.learner_state import state_of
from trainers.engine.runners.report import checked, refusals
from trainers.learners.learner import (
    Adjustable,
    Forecast,
    Learner,
    Resumable,
    Versioned,
    as_forecast,
)
from trainers.learners.own_code import LearnerError, own_code, utf8
from trainers.names import MOST_TAG_CHARS, TRAIN, LearnerKind, Status, Tag
from trainers.scoring.ledger import FAILED, MADE, SILENT

LONGEST_REST = 32  # cycles

# The attributes of a runner that a checkpoint keeps, besides its learner's state.
SAVED = ("version", "status", "status_text", "errors", "rests_until", "report", "seconds",
         "confidence")  # fmt: skip

# A learner may make up names at each training: after so many it is told of no more.
MOST_REFUSED = 100

TRACEBACK_CHARS = MOST_TAG_CHARS - 1000  # its end, which says what was wrong


class LearnerRunner:
    """The runner of one learner, baseline or champion.

    Args:
        learner: the learner.
        confidence: probability from which a forecast is a trade signal.

    Attributes:
        name: the learner's name, as it was at first.
        status: what the learner is doing, a ``Status``.
        status_text: the same in words; after a failure, the error.
        errors: the number of failures since the last cycle without one.
        rests_until: the cycle in which a learner that failed is trained again; 0 after a training
            without a failure.
        version: the cycle in which the weights that forecast were learned, 0 before the first; a
            champion's version in the registry.
        report: the metrics of the last training, without the prefix ``train/``.
        live: the scores of the last cycle, by full metric name.
        market: the market's own figures, of the first learner only, by full metric name.
        seconds: the duration of the last turn, s.
    """

    def __init__(self, learner: Learner, confidence: float) -> None:
        self.learner, self.confidence = learner, confidence
        self.name = learner.name
        self.status, self.status_text = Status.IDLE.value, "warming up"
        self.errors = 0
        self.rests_until = 0
        self.report: dict[str, float] = {}
        self.live: dict[str, float] = {}
        self.market: dict[str, float] = {}
        self.version = 0
        self.seconds = 0.0
        self._refused: set[str] = set()  # metrics that were told of
        self._told_of_state = False

    @property
    def is_agent(self) -> bool:
        """Whether the learner is an agent: it returns actions, not probabilities."""
        return self.learner.kind == LearnerKind.AGENT

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the learner's run that show its status."""
        return {Tag.STATUS: self.status, Tag.STATUS_TEXT: self.status_text[:500]}

    def forecast(self, bars: Bars, cycle: int) -> tuple[int, Forecast, list[Command]]:
        """Forecast the bar after the newest.

        Args:
            bars: ``(T,)`` of dtype ``BAR``, the newest bars taken.
            cycle: the newest cycle that has begun.

        Returns:
            The status for the ledger's row, the forecast, and the commands after a failure.
        """
        try:
            with own_code():
                found = as_forecast(self.learner.forecast(bars))
        except (LearnerError, NotEnoughBarsError) as e:
            # After a failure it may fail at every bar until it is trained again: report that once.
            told = [] if self.rests_until else list(self.failed(e, cycle))
            return FAILED, Forecast(), told
        return (SILENT, Forecast(), []) if found is None else (MADE, found, [])

    def forecast_each(
        self, bars: Bars, n: int, history_bars: int, cycle: int
    ) -> tuple[Answers, list[Command]]:
        """Forecast the bar after each of the newest ``n``, with the same result as one by one.

        A learner that can is asked once. Its last answer has to be what it says alone, else all
        of them are asked for one by one.

        Args:
            bars: ``(T,)`` of dtype ``BAR``; those before the ``n`` are known too.
            n: how many are new.
            history_bars: the number of newest bars that a learner is shown at each.
            cycle: the newest cycle that has begun.

        Returns:
            The forecasts, and the commands after failures.
        """
        if (found := together(self.learner, bars, n, history_bars)) is not None:
            return found, []
        told: list[Command] = []
        found = Answers.none(n)
        for i, end in enumerate(range(len(bars) - n + 1, len(bars) + 1)):
            status, one, more = self.forecast(bars[max(0, end - history_bars) : end], cycle)
            found.put(i, status, one)
            told += more
        return found, told

    def train(self, snapshot: Snapshot, *, announce: bool) -> Iterator[Command]:
        """Train the learner on a snapshot, unless it rests after a failure.

        Args:
            snapshot: the bars that the cycle learns from.
            announce: whether to yield the status TRAINING before the training begins.
        """
        cycle = snapshot.cycle
        if cycle < self.rests_until:
            return
        if announce:
            self.status, self.status_text = Status.TRAINING.value, f"cycle {cycle}"
            yield RunUpdate(self.name, cycle, {}, self.tags)
        if self.rests_until == 0:
            self.errors = 0  # no failure since the last training, forecasts included
        try:
            with own_code():
                found = self.learner.learn(snapshot)
            report = checked(found)
        except NotEnoughBarsError as e:
            self.status, self.status_text = Status.IDLE.value, str(e)
            return
        except LearnerError as e:
            yield from self.failed(e, cycle)
            return
        yield from self._tell_refused(report.refused)
        self.rests_until, self.version, self.report = 0, cycle, report.metrics
        self.status, self.status_text = Status.IDLE.value, f"learned in cycle {cycle}"

    def take_scores(self, live: dict[str, float]) -> None:
        """Replace the scores by those of this cycle."""
        self.live = live

    def take_market(self, figures: dict[str, float]) -> None:
        """Replace the market's own figures."""
        self.market = figures

    def take_evidence(self, metrics: dict[str, float]) -> None:
        """Add the metrics of the champion-challenger test to the scores."""
        self.live = self.live | metrics

    def take_seconds(self, seconds: float) -> None:
        """Set the duration of the last turn."""
        self.seconds = seconds

    def set_confidence(self, confidence: float) -> None:
        """Set the probability from which a forecast is a trade signal."""
        self.confidence = confidence

    def serve_version(self, version: int) -> None:
        """Set the registered version with which a champion forecasts; 0 for no champion."""
        self.version, self.errors, self.rests_until = version, 0, 0
        self.status = Status.IDLE.value
        self.status_text = f"version {version} serves" if version else "no champion yet"

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the last cycle by full name."""
        train = {f"{TRAIN}{name}": value for name, value in self.report.items()}
        if train:
            train[f"{TRAIN}seconds"] = self.seconds
        return {**train, **self.live, **self.market}

    def learner_state(
        self, cycle: int
    ) -> Generator[Command, None, tuple[dict[str, Any] | None, dict[str, str]]]:
        """Take the learner's state; yield the commands if that fails.

        Returns:
            The state, None if it cannot be resumed; and hashes, by stage, of the last training's
            inputs and of the state after it.
        """
        try:
            with own_code():
                state, digests, fault = state_of(self.learner)
        except (LearnerError, NotEnoughBarsError) as e:
            if not self.rests_until:
                yield from self.failed(e, cycle)
            return None, {}
        if fault:
            yield from self._tell_of_state(fault)
            return None, digests
        if state is not None:
            digests["weights"] = digest(state)
        return state, digests

    def exported(self) -> tuple[Any, int] | None:
        """Return the model that forecasts now and the number of raw bars that it takes, if any.

        Raises:
            LearnerError: if the export fails.
        """
        if not isinstance(self.learner, Versioned):
            return None
        with own_code():
            found = self.learner.export()
            return None if found is None else (found[0], int(found[1]))

    def adjust(self, name: str, value: float) -> bool:
        """Set a number of the learner; return whether it has such a number.

        Raises:
            LearnerError: if the learner fails at it.
        """
        with own_code():
            if not isinstance(self.learner, Adjustable) or name not in self.learner.adjustable:
                return False
            self.learner.adjust(name, value)
        return True

    def saved(self, state: dict[str, Any] | None) -> dict[str, Any]:
        """Return what ``restore`` needs, given the learner's state."""
        return {**{name: getattr(self, name) for name in SAVED}, "learner": state}

    def restore(self, saved: dict[str, Any]) -> str:
        """Restore what ``saved`` returned; return why the learner is not resumed, if it is not."""
        if saved["learner"] is None or not isinstance(self.learner, Resumable):
            return "has no state that could be kept"
        try:
            with own_code():
                self.learner.load_state_dict(saved["learner"])
        except (LearnerError, NotEnoughBarsError) as e:
            self.status, self.status_text = Status.ERROR.value, f"its state cannot be loaded: {e}"
            return f"cannot load its state ({e})"
        for name in SAVED:
            setattr(self, name, saved[name])
        return ""

    def failed(self, error: Exception, cycle: int) -> Iterator[Command]:
        """Note a failure of the learner's own code; yield the commands that tell of it."""
        self.errors += 1
        self.rests_until = cycle + min(2 ** (self.errors - 1), LONGEST_REST)
        self.report = {}
        text = str(error)[:300]
        self.status = Status.ERROR.value
        self.status_text = f"{text}; next try in cycle {self.rests_until}"
        trace = utf8("".join(traceback.format_exception(error.__cause__ or error)))
        end = trace[-TRACEBACK_CHARS:]
        yield RunUpdate(self.name, cycle, {}, {**self.tags, Tag.TRACEBACK: end})
        yield Happened(Code.LEARNER_FAILED, f"{self.name} failed: {text}", trace)

    def _tell_refused(self, refused: dict[str, str]) -> Iterator[Command]:
        """Tell, once, of the metrics of a report that cannot be logged."""
        new = {name: why for name, why in refused.items() if name not in self._refused}
        if new and len(self._refused) < MOST_REFUSED:
            self._refused |= new.keys()
            text = f"{self.name} reports metrics that are not logged: {refusals(new)}"
            yield Happened(Code.METRIC_REFUSED, text)

    def _tell_of_state(self, fault: str) -> Iterator[Command]:
        """Tell, once, that the learner's state cannot be kept."""
        if not self._told_of_state:
            self._told_of_state = True
            text = f"{self.name}: its state_dict is not kept, so it cannot be resumed: {fault}"
            yield Happened(Code.NOT_RESUMABLE, text)

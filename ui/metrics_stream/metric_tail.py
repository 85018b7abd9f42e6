"""What is new at each poll of MLflow, as lines for programs.

    SessionMetrics -> MetricTail -> {session, symbol, learner, kind, cycle, metric, value}
                                    {session, symbol, learner, kind, cycle, status, status_text}

A poll brings the newest value of each metric. Where there are cycles between it and the last one
sent, their values are read from the history. ``symbol`` and ``learner`` are None in lines of the
session's own run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from trainers.names import Kind, Tag
from trainers.tracking.reader import RunRecord
from ui.mlflow.session_metrics import SessionMetrics

Line = dict[str, Any]
Steps = dict[tuple[str, str], int]  # (run id, metric) -> the last cycle that was sent

# Run id, metric, after -> the values by cycle.
ReadHistory = Callable[[str, str, int], dict[int, float]]


class MetricTail:
    """Keeps what has been sent, and finds what is new.

    Args:
        session: the session's run id.
        read: reads a metric's history.

    Attributes:
        begun: whether MLflow has been read.
        steps: the cycle up to which every metric was sent.
    """

    def __init__(self, session: str, read: ReadHistory) -> None:
        self.session, self._read = session, read
        self.begun = False
        self.steps: Steps = {}
        self._status: dict[str, tuple[str, str]] = {}

    def update(self, metrics: SessionMetrics) -> list[Line]:
        """Return what is new; the first time all there is counts as sent.

        Raises:
            TrackingAwayError: if MLflow does not answer; the next update returns the rest.
        """
        if not self.begun:
            self.skip(metrics)
            return []
        runs = runs_of(metrics)
        steps = dict(self.steps)  # replaced as a whole, once nothing can fail any more
        lines = [line for run in runs for line in self._values(run, steps)]
        self.steps = steps
        return sorted(lines, key=lambda line: line["cycle"]) + list(self._new_statuses(runs))

    def skip(self, metrics: SessionMetrics) -> None:
        """Count all there is as sent, without a look at what was between."""
        runs = runs_of(metrics)
        self.steps = {(r.run_id, key): step for r in runs for key, step in r.steps.items()}
        self._status = {run.run_id: _status(run) for run in runs}
        self.begun = metrics.read_at is not None

    def statuses(self, metrics: SessionMetrics) -> list[Line]:
        """Return a line with the status of every run."""
        return [self._status_line(run) for run in runs_of(metrics) if run.tags.get(Tag.STATUS)]

    def about(self, run: RunRecord) -> Line:
        """Return the fields that name a run."""
        symbol, learner = run.name
        kind = run.tags.get(Tag.KIND, "")
        if kind == Kind.SESSION:
            symbol = learner = ""
        return {
            "session": self.session,
            "symbol": symbol or None,
            "learner": learner or None,
            "kind": kind,
        }

    def value_line(self, run: RunRecord, cycle: int, metric: str, value: float) -> Line:
        """Return the line of one value."""
        return {**self.about(run), "cycle": cycle, "metric": metric, "value": value}

    def _values(self, run: RunRecord, steps: Steps) -> Iterator[Line]:
        for key, step in run.steps.items():
            last = steps.get((run.run_id, key), -1)
            if step <= last:
                continue
            values = {step: run.metrics[key]}
            if step > last + 1:
                values |= self._read(run.run_id, key, last)
            steps[run.run_id, key] = step
            for cycle, value in values.items():
                yield self.value_line(run, cycle, key, value)

    def _new_statuses(self, runs: list[RunRecord]) -> Iterator[Line]:
        for run in runs:
            if run.tags.get(Tag.STATUS) and self._status.get(run.run_id) != _status(run):
                self._status[run.run_id] = _status(run)
                yield self._status_line(run)

    def _status_line(self, run: RunRecord) -> Line:
        status, text = _status(run)
        return {**self.about(run), "cycle": run.cycle, "status": status, "status_text": text}


def runs_of(metrics: SessionMetrics) -> list[RunRecord]:
    """Return the session's run and those of its learners, champions and baselines."""
    symbols = {*metrics.learners, *metrics.champions, *metrics.baselines}
    runs = [run for symbol in sorted(symbols) for run in metrics.runs(symbol).values()]
    return [*([metrics.session] if metrics.session else []), *runs]


def _status(run: RunRecord) -> tuple[str, str]:
    return run.tags.get(Tag.STATUS, ""), run.tags.get(Tag.STATUS_TEXT, "")

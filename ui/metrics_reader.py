"""Reads what the page shows of a session from MLflow: runs whole, of histories only what is new."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable

from trainers.tracking.reader import RunRecord, SessionReader
from ui.metrics import ByCycle, Metrics, Rows, Runs

CHARTED = {"cnn": "live/accuracy", "dqn": "live/win_rate"}
NO_RIVAL = "canary"  # a baseline that is not there to be beaten
CYCLES_KEPT = 1000


class MetricsReader:
    """Reads a session's metrics; of histories only what is new.

    Args:
        reader: of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self._history: dict[tuple[str, str], dict[int, float]] = {}
        self._baselines: Runs = {}
        self._cycle: int | None = None  # of the session, when the baselines were read
        self._read: dict[tuple[str, str], int | None] = {}  # up to which cycle of the run
        self._last = Metrics()
        self._written: object | None = None  # what the store was like, before it was read last

    def read(self) -> Metrics:
        """Return all there is now; between two writes to the store, only the session's run is read.

        That one tells whether the store still answers.

        Raises:
            TrackingAwayError: if MLflow does not answer.
        """
        written = self.reader.written()
        session = self.reader.session_run(self.session)
        if written is None or written != self._written:
            self._last = self._whole(session)
            self._written = written
        return dataclasses.replace(self._last, read_at=time.monotonic())

    def _whole(self, session: RunRecord) -> Metrics:
        runs = self.reader.learner_runs(self.session)
        learners, champions = _by_symbol(runs, "learner"), _by_symbol(runs, "champion")
        if session.cycle != self._cycle or not self._baselines:
            # They are many, and say nothing between two cycles.
            self._baselines = _by_symbol(self.reader.baseline_runs(self.session), "baseline")
            self._cycle = session.cycle
        baselines = self._baselines
        cycles = {
            symbol: self._by_cycle(
                runs | champions.get(symbol, {}), runs, baselines.get(symbol, {})
            )
            for symbol, runs in learners.items()
        }
        return Metrics(None, session, learners, champions, baselines, cycles)

    def _by_cycle(
        self,
        scored: dict[str, RunRecord],
        learners: dict[str, RunRecord],
        baselines: dict[str, RunRecord],
    ) -> ByCycle:
        accuracy, win_rate = (
            self._series(learners[learner], key) if learner in learners else {}
            for learner, key in CHARTED.items()
        )
        rivals = [run for name, run in baselines.items() if name != NO_RIVAL]
        best = _best([self._series(run, CHARTED["cnn"]) for run in rivals])
        known = sorted({*accuracy, *win_rate})[-CYCLES_KEPT:]
        scores = {c: [c, accuracy.get(c), win_rate.get(c), best.get(c)] for c in known}
        return ByCycle(
            {cycle: [_short(value) for value in row] for cycle, row in scores.items()},
            self._pairs(scored, "live/edge", "live/edge_ci"),
            self._pairs(learners, "promotion/log_e", "promotion/log_threshold"),
        )

    def _pairs(self, runs: dict[str, RunRecord], key: str, beside: str) -> Rows:
        """Return rows of one metric, and another of the same cycle beside it."""
        rows: Rows = {}
        for name, run in runs.items():
            values, others = self._series(run, key), self._series(run, beside)
            for cycle in sorted(values)[-CYCLES_KEPT:]:
                pair = [_short(values[cycle]), _short(others.get(cycle))]
                rows[name, cycle] = [name, cycle, *pair]
        return rows

    def _series(self, run: RunRecord, key: str) -> dict[int, float]:
        of = (run.run_id, key)
        series = self._history.setdefault(of, {})
        if key in run.metrics and run.cycle != self._read.get(of):
            series |= self.reader.history(run.run_id, key, after=max(series, default=-1))
            self._read[of] = run.cycle
        return series


def _by_symbol(runs: Iterable[RunRecord], kind: str) -> Runs:
    found: Runs = {}
    for run in runs:
        if run.tags.get("kind") == kind:
            symbol, learner = run.name
            found.setdefault(symbol, {})[learner] = run
    return found


def _best(series: Iterable[dict[int, float]]) -> dict[int, float]:
    """Return the highest value of each cycle."""
    best: dict[int, float] = {}
    for values in series:
        for cycle, value in values.items():
            best[cycle] = max(value, best.get(cycle, -math.inf))
    return best


def _short(value: float | None) -> float | None:
    """Four significant digits: more than a chart can show."""
    return None if value is None else float(f"{value:.4g}") if value % 1 else value

"""Reads a session's metrics from MLflow: runs as a whole, histories only where they are new."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable

from trainers.names import Kind, Tag
from trainers.tracking.reader import RunRecord, SessionReader
from ui.mlflow.pause import REST, Pause
from ui.mlflow.session_metrics import ByCycle, Runs, SessionMetrics
from ui.views.learner_names import PERMUTED_LABELS
from ui.views.view_model import Rows

CHARTED = {"cnn": "live/accuracy", "dqn": "live/win_rate"}
CYCLES_KEPT = 1000
POLL_SECONDS = 2.0
LOOKED_SECONDS = 60.0  # a market's histories are kept current for so long after a look at it
MANY_MARKETS = 8  # with more, a read of all runs is followed by a rest


class MetricsReader:
    """Reads a session's metrics.

    Args:
        reader: the reader of the store.
        session: the session's run id.
    """

    def __init__(self, reader: SessionReader, session: str) -> None:
        self.reader, self.session = reader, session
        self._history: dict[tuple[str, str], dict[int, float]] = {}
        self._baselines: Runs = {}
        self._cycle: int | None = None  # the session's, when the baselines were read
        self._looked_at: dict[str, float] = {}  # market -> time of the last look
        self._last = SessionMetrics()
        self._pause = Pause()
        self._written: object | None = None  # the store's state before the last read

    def read(self) -> SessionMetrics:
        """Return the metrics as they are now.

        Between two writes to the store only the session's run is read, to see whether the store
        still answers; so it is for a while after a read that took long.

        Raises:
            TrackingAwayError: if MLflow does not answer.
        """
        written = self.reader.written()
        session = self.reader.session_run(self.session)
        if (written is None or written != self._written) and self._pause.over:
            with self._pause:
                self._last = self._whole(session)
                self._written = written
                self._pause.rest = REST if len(self._last.learners) > MANY_MARKETS else 0.0
        return dataclasses.replace(self._last, session=session, read_at=time.monotonic())

    def look_at(self, symbol: str) -> None:
        """Read a market's histories from now on, until it was not looked at for a minute."""
        if symbol not in self._looked_at:
            self._written = None
            self._pause.end()
        self._looked_at[symbol] = time.monotonic()

    def looked_at(self) -> list[str]:
        """Return the markets that somebody looks at."""
        before = time.monotonic() - LOOKED_SECONDS
        for symbol in [name for name, at in [*self._looked_at.items()] if at < before]:
            del self._looked_at[symbol]
        return [*self._looked_at]

    def _whole(self, session: RunRecord) -> SessionMetrics:
        runs = self.reader.learner_runs(self.session)
        learners, champions = _by_symbol(runs, Kind.LEARNER), _by_symbol(runs, Kind.CHAMPION)
        if session.cycle != self._cycle or not self._baselines:
            # They are many, and log nothing between two cycles.
            self._baselines = _by_symbol(self.reader.baseline_runs(self.session), Kind.BASELINE)
            self._cycle = session.cycle
        baselines = self._baselines
        looked_at = self.looked_at()
        cycles = {
            symbol: self._by_cycle(
                runs | champions.get(symbol, {}), runs, baselines.get(symbol, {})
            )
            if symbol in looked_at
            else ByCycle({}, self._pairs(runs, "live/edge"), {})
            for symbol, runs in learners.items()
        }
        return SessionMetrics(None, session, learners, champions, baselines, cycles)

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
        rivals = [run for name, run in baselines.items() if name != PERMUTED_LABELS]
        best = _best([self._series(run, CHARTED["cnn"]) for run in rivals])
        known = sorted({*accuracy, *win_rate})[-CYCLES_KEPT:]
        scores = {c: [c, accuracy.get(c), win_rate.get(c), best.get(c)] for c in known}
        return ByCycle(
            {cycle: [_short(value) for value in row] for cycle, row in scores.items()},
            self._pairs(scored, "live/edge", "live/edge_ci"),
            self._pairs(learners, "promotion/log_e", "promotion/log_threshold"),
        )

    def _pairs(self, runs: dict[str, RunRecord], key: str, beside: str = "") -> Rows:
        """Return rows of one metric with another of the same cycle beside it, if any is named."""
        rows: Rows = {}
        for name, run in runs.items():
            values, others = self._series(run, key), self._series(run, beside)
            for cycle in sorted(values)[-CYCLES_KEPT:]:
                pair = [_short(values[cycle]), _short(others.get(cycle))]
                rows[name, cycle] = [name, cycle, *pair]
        return rows

    def _series(self, run: RunRecord, key: str) -> dict[int, float]:
        """Return a metric's values by cycle; a value that follows on those known is the run's own.

        So of a hundred runs no history has to be read each cycle.
        """
        series = self._history.setdefault((run.run_id, key), {})
        if key not in run.metrics:
            return series
        newest, known = run.steps[key], next(reversed(series), -1)
        if newest == known + 1:
            series[newest] = run.metrics[key]
        elif newest != known:
            series |= self.reader.history(run.run_id, key, after=known)
        return series


def _by_symbol(runs: Iterable[RunRecord], kind: Kind) -> Runs:
    by_symbol: Runs = {}
    for run in runs:
        if run.tags.get(Tag.KIND) == kind:
            symbol, learner = run.name
            by_symbol.setdefault(symbol, {})[learner] = run
    return by_symbol


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

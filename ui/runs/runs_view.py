"""Reads sessions, learners and models from MLflow, in the poller's thread.

Models are read every 15 s, as alerts and controls need them. The runs of all sessions, of which
there may be hundreds, are read once, and as often while somebody looks at them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from trainers.config import SessionConfig
from trainers.names import Tag, model_name
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord, SessionReader
from ui.mlflow.metrics_reader import LOOKED_SECONDS
from ui.mlflow.pause import Pause
from ui.mlflow.session_metrics import SessionMetrics
from ui.runs.runs_table import model_rows, run_rows
from ui.views.verdict_text import verdict_text
from ui.views.view_model import ViewModel

READ_SECONDS = 15.0


class RunsView:
    """Keeps the runs tab's part of the view model.

    Args:
        reader: the reader of the store.
        config: the settings of the session that the page shows.
        wake: has ``update`` called soon.

    Attributes:
        models: the registered models; None until they are known.
        versions: the versions of the session's learners, by ``SYMBOL.LEARNER``.
        records: the table's runs as they were read last, by run id.
    """

    def __init__(
        self, reader: SessionReader, config: SessionConfig, wake: Callable[[], object]
    ) -> None:
        self._reader, self._config, self._wake = reader, config, wake
        self._models_due, self._runs_due = Pause(READ_SECONDS), Pause(READ_SECONDS)
        self._looked_at = float("-inf")
        self._shown = ViewModel()
        self._rows: dict[str, Any] = {}
        self._newest: list[RunRecord] = []  # learners' runs
        self.models: list[ModelRecord] | None = None
        self.versions: dict[str, list[VersionRecord]] = {}
        self.records: dict[str, RunRecord] = {}

    @property
    def _is_looked_at(self) -> bool:
        return time.monotonic() - self._looked_at < LOOKED_SECONDS

    def view_model(self) -> ViewModel:
        """Return the runs as they were read last; they are read again while this is called."""
        came, self._looked_at = not self._is_looked_at, time.monotonic()
        if came:
            self._wake()
        return self._shown

    def update(self, metrics: SessionMetrics) -> None:
        """Read again what is needed, if the last time is long enough ago.

        Raises:
            TrackingAwayError: if MLflow does not answer; the view model is unchanged.
        """
        models_read = self._models_due.over
        if models_read:
            with self._models_due:
                self.models = self._reader.models()
        is_first = not self._shown.whole  # a table that came later would move the page
        runs_read = (is_first or self._is_looked_at) and self._runs_due.over
        if runs_read:
            with self._runs_due:
                self._read_runs()
        if models_read or runs_read:
            self._show(metrics)

    def _read_runs(self) -> None:
        self._newest, sessions = self._reader.newest_learner_runs(), self._reader.sessions()
        self._rows = run_rows(sessions, self._newest)
        self.records = {run.run_id: run for run in (*sessions, *self._newest)}

    def _show(self, metrics: SessionMetrics) -> None:
        models = model_rows(self.models or [], self._learners(metrics), self._newest)
        texts = {
            f"v.{symbol}.{name}": verdict_text(run.tags.get(Tag.VERDICT))
            for symbol, runs in metrics.learners.items()
            for name, run in runs.items()
        }
        known = {"models": models, "run_ids": [*self._rows]}
        self._shown = ViewModel(texts, known, {"runs": self._rows})
        # Only now: what became of a request is told of these, and is not to be ahead of the list.
        learners, listed = self._learners(metrics), self.models or []
        self.versions = {learners[one.name]: one.versions for one in listed if one.name in learners}

    def _learners(self, metrics: SessionMetrics) -> dict[str, str]:
        """Return this session's learners by the name of their registered model."""
        return {
            model_name(self._config.source, symbol, name, self._config.target): f"{symbol}.{name}"
            for symbol, runs in metrics.learners.items()
            for name in runs
        }

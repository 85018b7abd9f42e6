"""Reads sessions, learners and models from MLflow every 15 s, in the poller's thread."""

from __future__ import annotations

import time

from trainers.config import SessionConfig
from trainers.names import Tag, model_name
from trainers.tracking.model_reader import ModelRecord
from trainers.tracking.reader import RunRecord, SessionReader
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
    """

    def __init__(self, reader: SessionReader, config: SessionConfig) -> None:
        self._reader, self._config = reader, config
        self._at = float("-inf")
        self.view_model = ViewModel()
        self.models: list[ModelRecord] | None = None  # None until they are known
        self.records: dict[str, RunRecord] = {}  # the table's runs, by run id

    def update(self, metrics: SessionMetrics) -> None:
        """Read again if the last time is long enough ago.

        Raises:
            TrackingAwayError: if MLflow does not answer; the view model is unchanged.
        """
        if time.monotonic() - self._at < READ_SECONDS:
            return
        learners, sessions = self._reader.newest_learner_runs(), self._reader.sessions()
        rows = run_rows(sessions, learners)
        self.records = {run.run_id: run for run in (*sessions, *learners)}
        self.models = self._reader.models()
        models = model_rows(self.models, self._learners(metrics), learners)
        texts = {
            f"v.{symbol}.{name}": verdict_text(run.tags.get(Tag.VERDICT))
            for symbol, runs in metrics.learners.items()
            for name, run in runs.items()
        }
        self.view_model = ViewModel(texts, {"models": models, "run_ids": [*rows]}, {"runs": rows})
        self._at = time.monotonic()

    def _learners(self, metrics: SessionMetrics) -> dict[str, str]:
        """Return this session's learners by the name of their registered model."""
        return {
            model_name(self._config.source, symbol, name, self._config.target): f"{symbol}.{name}"
            for symbol, runs in metrics.learners.items()
            for name in runs
        }

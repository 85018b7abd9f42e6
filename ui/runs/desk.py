"""Reads sessions, learners and models from MLflow now and then, in the poller's thread."""

from __future__ import annotations

import time

from trainers.config import SessionConfig
from trainers.tracking.model_reader import ModelRecord
from trainers.tracking.reader import SessionReader
from ui.metrics import Metrics
from ui.picture import Picture
from ui.runs.table import model_rows, run_rows
from ui.verdicts import verdict_words

LOOK_SECONDS = 15.0


class RunsDesk:
    """Keeps the runs tab's part of the picture.

    Args:
        reader: of the store.
        config: of the session that the page shows.
    """

    def __init__(self, reader: SessionReader, config: SessionConfig) -> None:
        self._reader, self._config = reader, config
        self._at = float("-inf")
        self.part = Picture()
        self.models: list[ModelRecord] | None = None  # not known yet

    def look(self, metrics: Metrics) -> None:
        """Read again if the last time is long enough ago.

        Raises:
            TrackingAwayError: if MLflow does not answer; ``part`` is unchanged.
        """
        if time.monotonic() - self._at < LOOK_SECONDS:
            return
        rows = run_rows(self._reader.sessions(), self._reader.newest_learner_runs())
        self.models = self._reader.models()
        models = model_rows(self.models, self._learners(metrics))
        texts = {
            f"v.{symbol}.{name}": verdict_words(run.tags.get("verdict"))
            for symbol, runs in metrics.learners.items()
            for name, run in runs.items()
        }
        self.part = Picture(texts, {"models": models, "run_ids": [*rows]}, {"runs": rows})
        self._at = time.monotonic()

    def _learners(self, metrics: Metrics) -> dict[str, str]:
        """Return this session's learners by the name of their registered model."""
        return {
            f"tickloop-{symbol.lower()}-{name}": f"{symbol}.{name}"
            for symbol, runs in metrics.learners.items()
            for name in runs
        }

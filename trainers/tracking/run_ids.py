"""Which MLflow run is whose in a session, kept in a file: a trainer started again goes on in them.

The file makes a restart independent of the store, which may be away then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlflow.tracking import MlflowClient

from trainers.config import SessionConfig
from trainers.recording.files import RUNS
from trainers.tracking.runs import start_learner


class RunIds:
    """The runs of a session's learners; makes those that are missing.

    Args:
        client: of the store.
        config: the session's.
        session: the session's folder.
    """

    def __init__(self, client: MlflowClient, config: SessionConfig, session: Path) -> None:
        self._client, self._config, self._session = client, config, session
        self._path = session / RUNS
        self._known: dict[str, str] = {}
        if self._path.exists():
            self._known = json.loads(self._path.read_text(encoding="utf-8"))

    def of(self, symbol: str, learner: str, kind: str) -> str:
        """Return the run id of a learner of a symbol."""
        key = f"{symbol}/{learner}"
        if key not in self._known:
            self._known[key] = start_learner(
                self._client, self._config, self._session.name, symbol, learner, kind=kind
            )
            unfinished = self._path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
            os.replace(unfinished, self._path)
        return self._known[key]


def known_runs(session: Path) -> dict[str, str]:
    """Return the runs of a session's folder, by ``SYMBOL/learner``."""
    found: dict[str, str] = json.loads((session / RUNS).read_text(encoding="utf-8"))
    return found

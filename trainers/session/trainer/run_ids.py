"""The MLflow run ids of a market's learners, kept in a file so that a restarted trainer has them.

Thanks to the file a restart does not need the store, which may be away then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlflow.tracking import MlflowClient

from trainers.config import SessionConfig
from trainers.names import Kind
from trainers.recording.files import RUNS, of_market
from trainers.tracking.runs import start_learner


class RunIds:
    """The runs of a market's learners; creates the missing ones.

    Args:
        client: the MLflow store's client.
        config: the session's settings.
        session: the session's folder.
        market: the market's symbol.
    """

    def __init__(
        self, client: MlflowClient, config: SessionConfig, session: Path, market: str
    ) -> None:
        self._client, self._config, self._session = client, config, session
        self._market, self._path = market, of_market(session, market, RUNS)
        self._known: dict[str, str] = {}
        if self._path.exists():
            self._known = json.loads(self._path.read_text(encoding="utf-8"))

    def make(self, learner: str, kind: Kind, learner_kind: str) -> str:
        """Return the run id of a learner; create its run if there is none.

        Args:
            learner: the learner's name.
            kind: the kind of the run.
            learner_kind: a ``LearnerKind``.
        """
        if learner not in self._known:
            self._known[learner] = start_learner(
                self._client,
                self._config,
                self._session.name,
                self._market,
                learner,
                kind=kind,
                learner_kind=learner_kind,
            )
            unfinished = self._path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
            os.replace(unfinished, self._path)
        return self._known[learner]

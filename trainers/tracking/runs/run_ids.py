"""The MLflow run ids of a market's learners, kept in a file so that a restarted trainer has them.

Thanks to the file a restart does not need the store, which may be away then. A file that is damaged
is made anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from streaming.program.whole_file import write_whole
from trainers.config import SessionConfig
from trainers.names import Kind
from trainers.recording.errors import RecordError
from trainers.recording.files import RUNS, of_market
from trainers.recording.record import read_runs
from trainers.tracking.runs.lifecycle import start_learner
from trainers.tracking.stores.client import MlflowClient


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
        try:
            self._known = read_runs(session, market)
        except RecordError:
            self._known = {}  # the runs are found again in the store, by their tags

    def make(self, learner: str, kind: Kind, learner_kind: str) -> str | None:
        """Return the run id of a learner; create its run if there is none.

        None if the session logs no runs of that kind.

        Args:
            learner: the learner's name.
            kind: the kind of the run.
            learner_kind: a ``LearnerKind``.
        """
        if kind == Kind.BASELINE and not self._config.logs_baselines:
            return None
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
            write_whole(self._path, json.dumps(self._known, indent=1).encode())
        return self._known[learner]

"""A replay's access to MLflow: the session's record and metrics, and the replay's own runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streaming.errors import ConfigError, TickloopError
from streaming.events import Code
from trainers.config import SessionConfig, session_folder
from trainers.names import Kind, Status, Tag
from trainers.recording.decision_log import cycles_done
from trainers.recording.errors import RecordError
from trainers.recording.files import CONFIG, RECORD
from trainers.tracking.event_tag import EVENTS_SHOWN, tag_of
from trainers.tracking.runs.lifecycle import create_run, describe_run, end_run, learner_tags
from trainers.tracking.runs.provenance import commit_of
from trainers.tracking.runs.search import ended_sessions, last_session
from trainers.tracking.stores.artifacts import artifact_store
from trainers.tracking.stores.client import MLFLOW_GIT_COMMIT, MlflowClient, MlflowException
from trainers.tracking.tracker import Tracker

SESSION = "session"  # stands for the session's own run where others are named SYMBOL/learner


def run_name(market: str, learner: str) -> str:
    """Return the name by which a replay refers to a learner's run."""
    return f"{market}/{learner}"


def record_folder(client: MlflowClient, root: Path, session: str, copy: Path) -> Path:
    """Return the folder with a session's record; download it to ``copy`` if it is not here.

    Args:
        client: the MLflow store's client.
        root: the project's folder.
        session: run id of the session.
        copy: an existing folder for the download.

    Raises:
        RecordError: if there is neither a folder here nor a record in the store.
    """
    here = session_folder(root, session)
    if (here / CONFIG).exists():
        return here
    try:
        with artifact_store():
            client.download_artifacts(session, RECORD, str(copy))
    except (MlflowException, OSError) as e:
        raise RecordError(
            f"session: {session} has no folder {here} and no artifacts {RECORD}/ ({e}); sessions"
            " upload them when they end"
        ) from e
    return copy / RECORD


def known_session(client: MlflowClient, session: str) -> str:
    """Return the run id of a session or backtest, given that; or ``last`` for the newest session.

    Raises:
        ConfigError: if the store has no such session.
    """
    run_id = last_session(client) if session == "last" else session
    if run_id is None:
        raise ConfigError("session: got 'last'; there is no session in this store yet")
    try:
        if not re.fullmatch(r"\w+", run_id):
            raise ConfigError(f"session: got {session!r}; allowed: a session's run id, or last")
        kind = client.get_run(run_id).data.tags.get(Tag.KIND)
    except MlflowException as e:
        raise ConfigError(f"session: got {session!r}; the store has no such run ({e})") from e
    if kind not in (Kind.SESSION, Kind.BACKTEST):
        raise ConfigError(
            f"session: got {session!r}, a run of kind {kind!r}; expected a session's own run"
        )
    return run_id


def other_code(tags: Mapping[str, str], root: Path) -> str:
    """Return a text if a session was recorded by other code than this; else an empty one.

    Args:
        tags: the tags of the session's run.
        root: the project's folder.
    """
    then, now = tags.get(MLFLOW_GIT_COMMIT, "unknown"), commit_of(root) or "unknown"
    dirty = " with changes (record/git.diff)" if tags.get("git.dirty") == "true" else ""
    if then == now and not dirty:
        return ""
    return f"the session was recorded by commit {then[:12]}{dirty}, this is {now[:12]}"


def not_replayed_yet(client: MlflowClient, root: Path) -> list[str]:
    """Return the run ids of finished sessions in this project without a tag ``parity``.

    The newest comes first. Sessions recorded by other code are left out: their values may rightly
    differ.
    """
    found = []
    for run in ended_sessions(client):
        folder, tags = session_folder(root, run.info.run_id), run.data.tags
        if Tag.PARITY in tags or not (folder / CONFIG).exists() or other_code(tags, root):
            continue
        with contextlib.suppress(TickloopError):  # a damaged record cannot be replayed
            if SessionConfig.load(folder / CONFIG).parity and cycles_done(folder) > 0:
                found.append(run.info.run_id)
    return found


def recorded_metrics(
    client: MlflowClient, runs: Mapping[str, str]
) -> dict[str, dict[int, dict[str, float]]]:
    """Return all metrics of some runs, by the run's name, step and metric.

    Args:
        client: the MLflow store's client.
        runs: the run ids by the run's name.
    """
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name, run_id in runs.items():
        steps = found.setdefault(name, {})
        for key in client.get_run(run_id).data.metrics:
            for point in client.get_metric_history(run_id, key):
                steps.setdefault(point.step, {})[key] = point.value
    return found


class ReplayRuns:
    """The MLflow runs of a replay, tagged ``replay_of``.

    Args:
        client: the MLflow store's client.
        config: the replay's settings.
        session: run id of the replayed session.
        what_if: the changed settings as a text; empty if there are none.
        launched: the run that `mlflow run` has made for the replay; None to make one.

    Attributes:
        run_id: the id of the replay's own run.
    """

    def __init__(
        self,
        client: MlflowClient,
        config: SessionConfig,
        session: str,
        what_if: str,
        launched: str | None = None,
    ) -> None:
        self._client, self._config = client, config
        self._of = client.get_run(session).info.run_name or session[:8]
        self._tags: dict[str, str] = {Tag.REPLAY_OF: session}
        if what_if:
            self._tags[Tag.WHAT_IF] = what_if
        self.run_id = launched or create_run(client, f"replay of {self._of}", {})
        tags = {
            **self._tags, Tag.KIND: Kind.REPLAY, Tag.SESSION: self.run_id,
            Tag.SYMBOL: config.symbols,
        }  # fmt: skip
        describe_run(client, self.run_id, config, tags)
        self._runs = {SESSION: self.run_id}
        self._tracker = Tracker(client)
        self._writer = self._tracker.writer()
        self._events: list[dict[str, Any]] = []

    def make(self, market: str, learner: str, kind: Kind, learner_kind: str) -> None:
        """Create the run of a learner."""
        tags = learner_tags(self.run_id, market, learner, kind, learner_kind) | self._tags
        run_id = create_run(self._client, f"replay of {self._of} {learner}", tags)
        describe_run(self._client, run_id, self._config, {Tag.STATUS: Status.IDLE})
        self._runs[run_name(market, learner)] = run_id

    def log(
        self,
        run: str,
        step: int,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        wall_ms: int | None,
    ) -> None:
        """Log metrics and tags to a run, given its ``run_name`` or ``SESSION``."""
        self._writer.log(self._runs[run], step, metrics, tags, wall_ms)

    def event(self, code: Code, text: str, ts: float) -> None:
        """Add an event to the replay's; ``ts`` is in Unix seconds."""
        self._events = [*self._events, {"ts": ts, "code": code, "text": text}][-EVENTS_SHOWN:]

    def close(self, text: str, *, failed: bool) -> None:
        """Log the result ``text``, deliver everything, and end the runs."""
        tags = {Tag.STATUS_TEXT: text, Tag.EVENTS: tag_of(self._events)}
        self._writer.log(self.run_id, 0, tags={str(k): str(v) for k, v in tags.items()})
        self._tracker.close(60)
        for run_id in reversed(self._runs.values()):
            run = self._client.get_run(run_id)
            end_run(self._client, run, "FAILED" if failed else "FINISHED")

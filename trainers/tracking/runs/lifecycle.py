"""The MLflow runs of a session: one for the session, one for each learner of each market.

Tags say which session, market and learner a run belongs to. Champions and baselines are nested in
the session's run, so that MLflow shows the learners at first sight.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from streaming.errors import reason_of
from streaming.program.console import say
from trainers.config import SessionConfig
from trainers.names import EXPERIMENT, Kind, LearnerKind, Status, Tag
from trainers.recording.files import RECORD
from trainers.states import State
from trainers.tracking.reader import RunRecord
from trainers.tracking.runs.descriptions import description_at_the_end, description_of, title_of
from trainers.tracking.runs.launched import launched_run, settings_of
from trainers.tracking.runs.owners import owner_of_this_process
from trainers.tracking.runs.provenance import installed, provenance, uncommitted
from trainers.tracking.runs.search import runs_of, runs_of_market
from trainers.tracking.stores.client import (
    MAX_PARAMS_TAGS_PER_BATCH,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MlflowClient,
    MlflowException,
    Param,
    Run,
)
from trainers.tracking.summary import Summary, line_of

MADE_UP = re.compile(r"[a-z]+-[a-z]+-\d+")  # a name that MLflow gives a run without one


def start_session(
    client: MlflowClient,
    config: SessionConfig,
    root: Path,
    given: SessionConfig | None = None,
    *,
    kind: Kind = Kind.SESSION,
    ours: Callable[[Mapping[str, str]], bool] | None = None,
) -> str:
    """Start a session's run and return its id: the one that `mlflow run` made, or a new one.

    Args:
        client: the MLflow store's client.
        config: the session's settings.
        root: the project's folder.
        given: the settings as they were given, if those of the session follow from a look at its
            source.
        kind: the kind of the run.
        ours: whether the params of a run that `mlflow run` made are those of this process; those
            of its settings by default.
    """
    run_id = launched_run(client, root, ours or settings_of(given or config))
    title = title_of(config, time.time())
    if run_id is None:
        run_id = create_run(client, title, {})
    elif MADE_UP.fullmatch(client.get_run(run_id).info.run_name or ""):
        client.update_run(run_id, name=title)
    tags: dict[str, str] = {Tag.KIND: kind, Tag.SESSION: run_id, Tag.SYMBOL: config.symbols}
    tags |= {Tag.OWNER: owner_of_this_process(), **provenance(root)}
    tags |= {Tag.STATE: State.STARTING, Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: "starting"}
    tags[MLFLOW_RUN_NOTE] = description_of(config, run_id)
    try:
        describe_run(client, run_id, config, tags)
        _note(client, run_id, "installed.txt", installed())
        _note(client, run_id, "git.diff", uncommitted(root))
    except BaseException:
        with contextlib.suppress(MlflowException, SQLAlchemyError, OSError):
            client.set_terminated(run_id, "FAILED")
        raise
    return run_id


def _note(client: MlflowClient, run_id: str, name: str, text: str | None) -> None:
    """Add a text to the session's record, if there is one: training does not need it."""
    try:
        if text:
            client.log_text(run_id, text, f"{RECORD}/{name}")
    except Exception as e:  # noqa: BLE001  (each kind of artifact store has errors of its own)
        say(f"{RECORD}/{name} could not be stored: {reason_of(e)}", error=True)


def resume_session(client: MlflowClient, run_id: str, given: SessionConfig, root: Path) -> None:
    """Reopen the runs of a session that has ended; this process becomes their owner.

    Args:
        client: the MLflow store's client.
        run_id: the session's run.
        given: the settings of the command line.
        root: the project's folder.
    """
    for run in runs_of(client, run_id):
        client.set_tag(run.info.run_id, Tag.OWNER, owner_of_this_process())
        if Tag.STATE in run.data.tags:
            client.set_tag(run.info.run_id, Tag.STATE, State.STARTING)
        client.update_run(run.info.run_id, status="RUNNING")
    client.set_tag(run_id, Tag.STATUS, Status.IDLE)
    client.set_tag(run_id, Tag.STATUS_TEXT, "resuming")
    client.set_tag(run_id, MLFLOW_RUN_NOTE, description_of(given, run_id))
    launch = launched_run(client, root, settings_of(given))
    if launch is not None and launch != run_id:  # the run that `mlflow run` made is no session
        client.set_tag(launch, Tag.KIND, Kind.RESUME)
        client.set_tag(launch, Tag.RESUME_OF, run_id)


def start_learner(
    client: MlflowClient,
    config: SessionConfig,
    session: str,
    symbol: str,
    learner: str,
    *,
    kind: Kind = Kind.LEARNER,
    learner_kind: str = LearnerKind.FORECASTER,
) -> str:
    """Return the id of a learner's run on one market; create the run if there is none.

    Args:
        client: the MLflow store's client.
        config: the session's settings, which become params.
        session: run id of the session.
        symbol: the market.
        learner: the learner's name.
        kind: the kind of the run.
        learner_kind: a ``LearnerKind``.
    """
    for run in runs_of_market(client, session, symbol):
        if run.data.tags.get(Tag.LEARNER) == learner:
            return str(run.info.run_id)  # made by a trainer that was killed before it noted the id
    parent = client.get_run(session)
    tags = learner_tags(session, symbol, learner, kind, learner_kind)
    tags[Tag.OWNER] = parent.data.tags.get(Tag.OWNER, "")
    title = title_of(config, parent.info.start_time / 1000, symbol, learner)
    tags |= {Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: "warming up"}
    tags[MLFLOW_RUN_NOTE] = description_of(config, session, symbol, learner)
    if kind == Kind.LEARNER:
        tags[Tag.STATE] = State.STARTING
    run_id = create_run(client, title, tags)
    log_params(client, run_id, config.flat)
    return run_id


def learner_tags(
    session: str, symbol: str, learner: str, kind: str, learner_kind: str
) -> dict[str, str]:
    """Return the tags that identify a learner's run."""
    nested = {} if kind == Kind.LEARNER else {MLFLOW_PARENT_RUN_ID: session}
    return {
        **nested,
        Tag.KIND: kind,
        Tag.SESSION: session,
        Tag.SYMBOL: symbol,
        Tag.LEARNER: learner,
        Tag.LEARNER_KIND: learner_kind,
    }


def end_runs(client: MlflowClient, session: str, state: State) -> None:
    """End every run of a session that still runs; the session's own last.

    Args:
        client: the MLflow store's client.
        session: run id of the session.
        state: how it ended, one of ``OVER``.
    """
    status = "FAILED" if state == State.FAILED else "FINISHED"
    running = [run for run in runs_of(client, session) if run.info.status == "RUNNING"]
    for run in sorted(running, key=lambda run: run.info.run_id == session):
        if Tag.STATE in run.data.tags:
            client.set_tag(run.info.run_id, Tag.STATE, state)
        end_run(client, run, status)


def end_run(client: MlflowClient, run: Run, status: str) -> None:
    """End a run; ``status`` is MLflow's word for how."""
    if run.data.tags.get(Tag.STATUS, Status.ERROR) != Status.ERROR:
        client.delete_tag(run.info.run_id, Tag.STATUS)  # nobody is idle, or learns, any more
    client.set_terminated(run.info.run_id, status)


def describe_the_end(
    client: MlflowClient, told: Summary, session: str, learners: Sequence[RunRecord]
) -> None:
    """Replace the descriptions of a session's runs by what came of it.

    Args:
        client: the MLflow store's client.
        told: what came of the session.
        session: run id of the session.
        learners: the runs of its learners.
    """
    client.set_tag(session, MLFLOW_RUN_NOTE, description_at_the_end(told, session))
    for run in learners:
        note = description_at_the_end(told, session, line_of(run))
        client.set_tag(run.run_id, MLFLOW_RUN_NOTE, note)


def create_run(client: MlflowClient, name: str, tags: dict[str, str]) -> str:
    """Create a run in the project's experiment; return its id."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None  # ensure_store has created it
    run_id: str = client.create_run(
        experiment.experiment_id,
        tags={MLFLOW_RUN_NAME: name, MLFLOW_SOURCE_NAME: "trainers.session", **tags},
    ).info.run_id
    return run_id


def describe_run(
    client: MlflowClient, run_id: str, config: SessionConfig, tags: dict[str, str]
) -> None:
    """Set a run's tags, and as params all settings that `mlflow run` has not set already."""
    known = client.get_run(run_id).data.params
    log_params(client, run_id, {n: v for n, v in config.flat.items() if n not in known})
    for name, value in tags.items():
        client.set_tag(run_id, name, value)


def log_params(client: MlflowClient, run_id: str, values: Mapping[str, object]) -> None:
    """Set a run's params."""
    params = [Param(name, str(value)) for name, value in values.items()]
    for first in range(0, len(params), MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, params=params[first : first + MAX_PARAMS_TAGS_PER_BATCH])

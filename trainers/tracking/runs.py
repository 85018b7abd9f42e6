"""The MLflow runs of a session: one for the session, one for each learner of each market.

They are not nested; tags say which session, market and learner a run belongs to.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil
from mlflow.entities import Param, Run, RunStatus
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_RUN_NAME, MLFLOW_SOURCE_NAME

from trainers.config import SessionConfig
from trainers.names import EXPERIMENT, Kind, LearnerKind, Status, Tag
from trainers.recording.files import RECORD

STACK = (
    "mlflow", "torch", "pytorch-lightning", "numpy", "pandas", "scikit-learn", "websockets",
    "gradio",
)  # fmt: skip


def start_session(client: MlflowClient, config: SessionConfig, root: Path) -> str:
    """Start a session's run and return its id: the one that `mlflow run` made, or a new one."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        run_id = create_run(client, f"{config.source} {config.symbols}", {})
    tags: dict[str, str] = {Tag.KIND: Kind.SESSION, Tag.SESSION: run_id, Tag.SYMBOL: config.symbols}
    tags |= {**_provenance(root), Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: "starting"}
    describe_run(client, run_id, config, tags)
    client.log_text(run_id, installed(), f"{RECORD}/installed.txt")
    if diff := _git(root, "diff", "HEAD"):
        client.log_text(run_id, diff, f"{RECORD}/git.diff")
    return run_id


def installed() -> str:
    """Return all installed packages with their versions, one per line."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found, key=str.lower))


def resume_session(client: MlflowClient, run_id: str) -> None:
    """Reopen the runs of a session that has ended; this process becomes their owner."""
    for run in runs_of(client, run_id):
        client.set_tag(run.info.run_id, Tag.OWNER, owner_of_this_process())
        client.update_run(run.info.run_id, status="RUNNING")
    client.set_tag(run_id, Tag.STATUS, Status.IDLE)
    client.set_tag(run_id, Tag.STATUS_TEXT, "resuming")
    launch = os.environ.get("MLFLOW_RUN_ID")
    if launch is not None and launch != run_id:  # the run that `mlflow run` made is no session
        client.set_tag(launch, Tag.KIND, Kind.RESUME)
        client.set_tag(launch, Tag.RESUME_OF, run_id)


def last_session(client: MlflowClient) -> str | None:
    """Return the id of the newest session; None if there is none."""
    found = _search(client, f"tags.{Tag.KIND} = '{Kind.SESSION}'")
    newest = max(found, key=lambda run: run.info.start_time, default=None)
    return None if newest is None else str(newest.info.run_id)


def running_session(client: MlflowClient) -> str | None:
    """Return the id of the newest running session; None if there is none."""
    found = _search(client, "tags.kind = 'session' and attributes.status = 'RUNNING'")
    alive = [run for run in found if _may_live(run.data.tags.get(Tag.OWNER, ""))]
    newest = max(alive, key=lambda run: run.info.start_time, default=None)
    return None if newest is None else str(newest.info.run_id)


def ended_sessions(client: MlflowClient) -> list[Run]:
    """Return the runs of sessions that have finished without a failure or kill, newest first."""
    found = _search(client, "tags.kind = 'session' and attributes.status = 'FINISHED'")
    return sorted(found, key=lambda run: run.info.start_time, reverse=True)


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
    for run in runs_of(client, session):
        if (run.data.tags.get(Tag.SYMBOL), run.data.tags.get(Tag.LEARNER)) == (symbol, learner):
            return str(run.info.run_id)  # made by a trainer that was killed before it noted the id
    owner = client.get_run(session).data.tags.get(Tag.OWNER, "")
    tags = learner_tags(session, symbol, learner, kind, learner_kind) | {Tag.OWNER: owner}
    run_id = create_run(client, f"{learner} {symbol}", tags)
    describe_run(client, run_id, config, {Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: "warming up"})
    return run_id


def learner_tags(
    session: str, symbol: str, learner: str, kind: str, learner_kind: str
) -> dict[str, str]:
    """Return the tags that identify a learner's run."""
    return {
        Tag.KIND: kind,
        Tag.SESSION: session,
        Tag.SYMBOL: symbol,
        Tag.LEARNER: learner,
        Tag.LEARNER_KIND: learner_kind,
    }


def end_runs(client: MlflowClient, session: str, status: str) -> None:
    """End every run of a session that still runs with an MLflow status; the session's own last."""
    running = [run for run in runs_of(client, session) if run.info.status == "RUNNING"]
    for run in sorted(running, key=lambda run: run.info.run_id == session):
        client.set_terminated(run.info.run_id, status)


def runs_of(client: MlflowClient, session: str) -> list[Run]:
    """Return the runs of a session from all experiments."""
    return _search(client, f"tags.session = '{session}'")


def close_orphans(client: MlflowClient) -> list[str]:
    """Mark runs as KILLED if their process was on this machine and is gone; return their ids."""
    killed = RunStatus.to_string(RunStatus.KILLED)
    orphans = []
    for run in _search(client, "attributes.status = 'RUNNING'"):
        owner = run.data.tags.get(Tag.OWNER, "")
        if owner and not _may_live(owner):
            client.set_tag(run.info.run_id, Tag.STATUS, Status.ERROR)
            client.set_tag(run.info.run_id, Tag.STATUS_TEXT, "its process was killed")
            client.set_terminated(run.info.run_id, killed)
            orphans.append(run.info.run_id)
    return orphans


def owner_of_this_process() -> str:
    """Return host, process id and start time: process ids alone are used again."""
    started = psutil.Process().create_time()
    return f"{platform.node()} {os.getpid()} {started:.2f}"


def _may_live(owner: str) -> bool:
    try:
        host, pid, started = owner.rsplit(" ", 2)
    except ValueError:
        return True  # no tag of Tickloop's
    if host != platform.node():
        return True  # a process of another machine cannot be checked from here
    try:
        return bool(abs(psutil.Process(int(pid)).create_time() - float(started)) < 1)
    except psutil.NoSuchProcess:
        return False


def _search(client: MlflowClient, query: str) -> list[Run]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(experiments, query, max_results=1000, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


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
    values = config.flat.items()
    params = [Param(name, str(value)) for name, value in values if name not in known]
    client.log_batch(run_id, params=params)
    for name, value in tags.items():
        client.set_tag(run_id, name, value)


def _provenance(root: Path) -> dict[str, str]:
    tags = {Tag.OWNER: owner_of_this_process(), "version.python": platform.python_version()}
    tags |= {f"version.{name}": importlib.metadata.version(name) for name in STACK}
    commit = commit_of(root)
    if commit is not None:
        tags[MLFLOW_GIT_COMMIT] = commit
        tags["git.dirty"] = str(bool(_git(root, "status", "--porcelain"))).lower()
    return tags


def commit_of(root: Path) -> str | None:
    """Return the hash of the commit that is checked out; None outside a git repository."""
    return _git(root, "rev-parse", "HEAD")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""The run that `mlflow run` has made for this process, if it was started by it.

`mlflow run` names it in ``MLFLOW_RUN_ID``. But so may a shell, and what it names may be anybody's:
the run of another project, one that ended long ago. Only a run whose params are this process's own
settings was made for it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.request import url2pathname

from streaming.errors import ConfigError, reason_of
from streaming.program.console import say
from trainers.config import SessionConfig
from trainers.names import EXPERIMENT, Tag
from trainers.tracking.stores.artifacts import is_local
from trainers.tracking.stores.client import (
    MLFLOW_PROJECT_ENTRY_POINT,
    MLFLOW_SOURCE_TYPE,
    MlflowClient,
    MlflowException,
    Run,
    SourceType,
)

VARIABLE = "MLFLOW_RUN_ID"

Params = Mapping[str, str]


def launched_run(client: MlflowClient, root: Path, ours: Callable[[Params], bool]) -> str | None:
    """Return the id of the run that `mlflow run` has made for this process; None if there is none.

    Args:
        client: the MLflow store's client.
        root: the project's folder.
        ours: whether a run's params are what this process was started with.
    """
    run_id = os.environ.get(VARIABLE)
    if not run_id:
        return None
    try:
        fault = _fault(client.get_run(run_id), root, ours) or _misplaced(client, run_id)
    except MlflowException as e:
        fault = f"cannot be read ({reason_of(e)})"
    if fault:
        say(f"{VARIABLE}: run {run_id} {fault}; it is left alone", error=True)
        return None
    return run_id


def _fault(run: Run, root: Path, ours: Callable[[Params], bool]) -> str:
    """Return why a run is not the one; empty if it is."""
    tags, artifacts = run.data.tags, run.info.artifact_uri
    if run.info.status != "RUNNING":
        return f"has ended ({run.info.status})"
    if run.info.lifecycle_stage != "active":
        return "was deleted"
    made = tags.get(MLFLOW_SOURCE_TYPE) == SourceType.to_string(SourceType.PROJECT)
    if not made or MLFLOW_PROJECT_ENTRY_POINT not in tags:
        return "was not made by `mlflow run`"
    params = {name: unquoted(value) for name, value in run.data.params.items()}
    if Tag.KIND in tags or not params or not ours(params):
        return "was made for something else"
    # MLflow decodes the path of an artifact, and does not encode that of its own folder.
    if artifacts.startswith(f"{root}/") and root not in Path(url2pathname(artifacts)).parents:
        return f"keeps its artifacts in {url2pathname(artifacts)}"
    return ""


def _misplaced(client: MlflowClient, run_id: str) -> str:
    """Return where a run's artifacts would be, if no other machine could read them there."""
    address = client.get_run(run_id).info.artifact_uri
    ours = client.get_experiment_by_name(EXPERIMENT)
    if ours is None or is_local(ours.artifact_location) or not is_local(address):
        return ""
    return (
        f"keeps its artifacts in {address}, on this machine alone, while those of the experiment"
        f" {EXPERIMENT!r} are in {ours.artifact_location}; with --experiment-name {EXPERIMENT} they"
        " are there too"
    )


def unquoted(value: str) -> str:
    """Return a param's value without the quotes in which `mlflow run` hands it to a shell."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def settings_of(config: SessionConfig) -> Callable[[Params], bool]:
    """Return the function that tells whether a run's params are settings of ``config``."""

    def ours(params: Params) -> bool:
        try:
            return config.changed(**params) == config
        except (ConfigError, TypeError):
            return False

    return ours

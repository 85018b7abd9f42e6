"""The MLflow store: where it is, and how it is made.

Without ``MLFLOW_TRACKING_URI`` it is MLflow's own default, ``mlflow.db`` in the project root with
artifacts under ``mlruns/``, so that a bare ``mlflow ui`` there shows everything. MLflow breaks
a database that several processes make at once and does not set WAL: hence one bootstrap under
a lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from pathlib import Path

from filelock import FileLock, Timeout

# Ours to fail fast: MLflow's client otherwise blocks 247 s when a server is away.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

# A model is an exported program; whatever else calls itself one is not unpickled here.
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from trainers.names import EXPERIMENT

# Its word on making the tables is not for the person who started a session.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)

LOCK_SECONDS = 60


class StoreError(Exception):
    """The MLflow store cannot be used: show the line, exit with code 2."""


def tracking_uri(root: Path) -> str:
    """Return the store's address; a relative SQLite path counts from ``root``.

    Raises:
        StoreError: if ``MLFLOW_TRACKING_URI`` names a kind of store that MLflow gave up.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        return f"sqlite:///{root / 'mlflow.db'}"
    if uri.startswith("sqlite:///"):
        return f"sqlite:///{root / uri.removeprefix('sqlite:///')}"
    if re.match(r"(https?|(postgresql|mysql|mssql)(\+\w+)?)://", uri):
        return uri
    raise StoreError(
        f"MLFLOW_TRACKING_URI: got {uri!r}; allowed: sqlite:///PATH, http://HOST, or a database"
    )


def ensure_store(root: Path) -> str:
    """Make the store if it is missing, and the experiment in it; return its address.

    Raises:
        StoreError: if it cannot be written or reached.
    """
    uri = tracking_uri(root)
    try:
        if uri.startswith("sqlite:///"):
            _ensure_sqlite(Path(uri.removeprefix("sqlite:///")), uri, root / "mlruns")
        else:
            _ensure_experiment(MlflowClient(uri), None)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, Timeout) as e:
        reason = str(e).strip().splitlines()[0]
        raise StoreError(
            f"MLFLOW_TRACKING_URI: the store {uri} cannot be used ({reason}); "
            "expected one that this user may write"
        ) from e
    return uri


def _ensure_sqlite(path: Path, uri: str, artifacts: Path) -> None:
    artifacts.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("begin immediate")  # MLflow would try for 100 s to open the file
            connection.rollback()
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)  # makes the schema
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")  # readers do not wait for writers
        _ensure_experiment(client, str(artifacts))


def _ensure_experiment(client: MlflowClient, artifacts: str | None) -> None:
    if client.get_experiment_by_name(EXPERIMENT) is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)

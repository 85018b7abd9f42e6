"""The MLflow store: its address, and its creation.

Without ``MLFLOW_TRACKING_URI`` it is MLflow's own default, ``mlflow.db`` in the project root with
artifacts under ``mlruns/``, so that a plain ``mlflow ui`` there shows everything. The store is
created here under a lock, as several processes that create it at once break the database, and
because MLflow does not switch SQLite to its write-ahead log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from pathlib import Path

from filelock import FileLock, Timeout

# Fail fast: by default MLflow's client blocks for 247 s when a server is away.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

# Tickloop's models are exported programs; no other model is ever unpickled.
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from streaming.errors import reason_of
from trainers.names import EXPERIMENT

# MLflow's messages about creating tables would only distract the person who started a session.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)

LOCK_SECONDS = 60


class StoreError(Exception):
    """The MLflow store cannot be used: show the text, which is one line, and exit with code 2."""


def tracking_uri(root: Path) -> str:
    """Return the store's URI; a relative SQLite path counts from ``root``.

    Raises:
        StoreError: if ``MLFLOW_TRACKING_URI`` names another kind of store than a database or an
            MLflow server.
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
    """Create the store and its experiment if they are missing; return the store's URI.

    Raises:
        StoreError: if the store cannot be written or reached.
    """
    uri = tracking_uri(root)
    try:
        if uri.startswith("sqlite:///"):
            _ensure_sqlite(Path(uri.removeprefix("sqlite:///")), uri, root / "mlruns")
        else:
            _ensure_experiment(MlflowClient(uri), None)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, Timeout) as e:
        raise StoreError(
            f"MLFLOW_TRACKING_URI: the store {uri} cannot be used ({reason_of(e)}); "
            "expected one that this user may write"
        ) from e
    return uri


def _ensure_sqlite(path: Path, uri: str, artifacts: Path) -> None:
    artifacts.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("begin immediate")  # fails in 5 s where MLflow would try for 100 s
            connection.rollback()
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)  # creates the schema
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")  # readers do not wait for writers
        _ensure_experiment(client, str(artifacts))


def _ensure_experiment(client: MlflowClient, artifacts: str | None) -> None:
    if client.get_experiment_by_name(EXPERIMENT) is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)

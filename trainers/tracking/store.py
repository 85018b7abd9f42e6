"""The MLflow store: its address, and its creation.

Without ``MLFLOW_TRACKING_URI`` it is MLflow's own default, ``mlflow.db`` in the project root with
artifacts under ``mlruns/``, so that a plain ``mlflow ui`` there shows everything. The store is
created here under a lock, as several processes that create it at once break the database, and
because MLflow does not switch SQLite to its write-ahead log. A database elsewhere, such as
PostgreSQL, has its artifacts at the address that ``MLFLOW_DEFAULT_ARTIFACT_ROOT`` gives.

MLflow decodes the path in a URI: one with ``%`` that is pasted as it is names another folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import pathname2url

from filelock import FileLock, Timeout

# Fail fast: by default MLflow's client blocks for 247 s when a server is away.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
os.environ.setdefault("PGCONNECT_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

# Tickloop's models are exported programs; no other model is ever unpickled.
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

import sqlalchemy
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from streaming.errors import ConfigError, RingError, reason_of
from trainers.names import EXPERIMENT
from trainers.tracking.stores.artifacts import EXTRA, VARIABLE, given_root
from trainers.tracking.stores.client import (
    LifecycleStage,
    MlflowClient,
    MlflowException,
    StoreError,
)
from trainers.tracking.stores.database import LOCK_SECONDS, create_tables, locked
from trainers.tracking.stores.half_made import emptied

logger = logging.getLogger(__name__)

# MLflow's messages about creating tables would only distract the person who started a session, and
# each error of a database or server that is away would be shown besides being raised.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.ERROR)
logging.getLogger("psycopg").setLevel(logging.ERROR)  # as of a pipeline that an outage cut off

# The tag by which MLflow's UI knows that an experiment trains models and has no traces.
EXPERIMENT_KIND, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"

CONNECT_SECONDS = 5
SQLITE = "sqlite:///"
OTHERS = re.compile(r"(https?|(postgresql|mysql|mssql)(\+\w+)?)://")
TIMED = re.compile(r"(postgresql|mysql)")  # whose drivers call their time limit alike

# What MLflow's client raises when the store does not answer or refuses.
STORE_ERRORS = (MlflowException, SQLAlchemyError)


@contextlib.contextmanager
def before_the_start() -> Iterator[None]:
    """Make a wrong setting of what the disk or the store refuses: nothing has started yet."""
    try:
        yield
    except (*STORE_ERRORS, RingError, OSError) as e:
        raise ConfigError(f"cannot start: {reason_of(e)}") from e


def begin_process(name: str) -> None:
    """Undo what MLflow would do to a process of ours that logs.

    Its import has set the root logger to errors only, and its fluent API would resume the run that
    a shell names.

    Args:
        name: the process's name, with which its messages begin.
    """
    logging.basicConfig(level=logging.WARNING, format=f"{name}: %(message)s", force=True)
    for variable in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(variable, None)


def tracking_uri(root: Path) -> str:
    """Return the store's URI; a relative SQLite path counts from ``root``.

    Raises:
        StoreError: if ``MLFLOW_TRACKING_URI`` names another kind of store than a database or an
            MLflow server.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        return _sqlite_uri(root / "mlflow.db")
    if path := sqlite_path(uri):
        query = uri.partition("?")[2]
        return _sqlite_uri(root / path) + (f"?{query}" if query else "")
    with contextlib.suppress(ValueError):  # an address that is none, as one with port 99999
        if OTHERS.match(uri) and (not uri.startswith("http") or urlsplit(uri).port != 0):
            return uri
    raise StoreError(
        f"MLFLOW_TRACKING_URI: got {masked(uri)!r}; allowed: sqlite:///PATH, http://HOST, or a"
        " database"
    )


def sqlite_path(uri: str) -> Path | None:
    """Return the file that MLflow opens for a URI; None if the store is no SQLite file."""
    path = sqlalchemy.make_url(uri).database if uri.startswith(SQLITE) else None
    return Path(path) if path else None


def _sqlite_uri(path: Path) -> str:
    return SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


def masked(uri: str) -> str:
    """Return a URI for people to see, without its password.

    >>> masked("postgresql://me:secret@host/db")
    'postgresql://me:***@host/db'
    """
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", uri)


def ensure_store(root: Path) -> str:
    """Create the store and its experiment if they are missing; return the store's URI.

    Raises:
        StoreError: if the store cannot be written or reached, or its experiment was deleted.
    """
    uri = tracking_uri(root)
    try:
        if path := sqlite_path(uri):
            _ensure_sqlite(path, uri, root / "mlruns")
        elif uri.startswith("http"):
            _ensure_experiment(MlflowClient(uri), None)
        else:
            connect(uri)
            with locked(uri):
                create_tables(uri, given_root() or pathname2url(str(root / "mlruns")))
                _ensure_experiment(MlflowClient(uri), None)
    except (*STORE_ERRORS, sqlite3.Error, OSError, ImportError, ValueError, Timeout) as e:
        advice = f"; a store elsewhere needs: {EXTRA}" if isinstance(e, ImportError) else ""
        raise StoreError(
            f"MLFLOW_TRACKING_URI: the store {masked(uri)} cannot be used"
            f" ({reason_of(e).replace(uri, masked(uri))}); expected one that this user may write"
            f"{advice}"
        ) from e
    return uri


def connect(uri: str) -> None:
    """Connect to a database once: where that fails, MLflow would try for 100 s.

    Raises:
        SQLAlchemyError: if it does not answer.
        ImportError: if its driver is not installed.
    """
    limit = {"connect_timeout": CONNECT_SECONDS} if TIMED.match(uri) else {}
    try:
        engine = sqlalchemy.create_engine(uri, connect_args=limit, poolclass=sqlalchemy.NullPool)
    except ValueError as e:  # a port that is no number
        raise ArgumentError(str(e)) from e
    engine.connect().close()


def _ensure_sqlite(path: Path, uri: str, artifacts: Path) -> None:
    artifacts.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("begin immediate")  # fails in 5 s where MLflow would try for 100 s
            connection.rollback()
        try:
            client = _with_tables(uri)
        except STORE_ERRORS:
            if not emptied(path):
                raise
            logger.warning("%s was only half made, and empty: its tables were made anew", path)
            client = _with_tables(uri)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")  # readers do not wait for writers
        _ensure_experiment(client, pathname2url(str(artifacts)))


def _with_tables(uri: str) -> MlflowClient:
    if address := given_root():
        create_tables(uri, address)
    client = MlflowClient(uri)
    client.search_experiments(max_results=1)  # creates the schema
    return client


def _ensure_experiment(client: MlflowClient, artifacts: str | None) -> None:
    """Create the experiment if it is missing.

    Args:
        client: the store's client.
        artifacts: where its artifacts are to be, unless the environment gives an address; None
            leaves it to MLflow.
    """
    found, given = client.get_experiment_by_name(EXPERIMENT), given_root()
    if found is None:
        address = f"{given}/{EXPERIMENT}" if given else artifacts
        client.create_experiment(EXPERIMENT, address, {EXPERIMENT_KIND: MODEL_TRAINING})
    elif found.lifecycle_stage == LifecycleStage.DELETED:
        raise StoreError(
            f"the MLflow experiment {EXPERIMENT!r} was deleted; bring it back with:"
            f" mlflow experiments restore -x {found.experiment_id}"
        )
    elif given and not found.artifact_location.startswith(f"{given}/"):
        raise StoreError(
            f"{VARIABLE}: got {given}, but the experiment {EXPERIMENT!r} of this store keeps its"
            f" artifacts in {found.artifact_location}, for good; leave the variable out, or use"
            " another database"
        )

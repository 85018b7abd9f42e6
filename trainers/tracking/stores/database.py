"""Creates MLflow's tables in a database that several machines may come to at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import text

LOCK_SECONDS = 60
LOCK_NUMBER = int.from_bytes(b"tickloop")  # of PostgreSQL's advisory lock, 64 bits
POSTGRESQL = "postgresql"


@contextlib.contextmanager
def locked(uri: str) -> Iterator[None]:
    """Hold the lock under which a PostgreSQL database is set up; other databases have none.

    Args:
        uri: the database's URI.

    Raises:
        SQLAlchemyError: if another process holds it for longer than ``LOCK_SECONDS``.
    """
    if not uri.startswith(POSTGRESQL):
        yield
        return
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:  # the lock ends with the transaction, whatever happens
        connection.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        yield


def create_tables(uri: str, artifacts: str) -> None:
    """Create MLflow's tables if they are missing.

    MLflow's first experiment, in which `mlflow run` makes its runs, then has its artifacts at
    ``artifacts`` too: whoever comes first decides, and by default it is a folder of that machine.
    """
    make: Callable[..., Any] = SqlAlchemyStore  # MLflow has no types there
    make(uri, artifacts)

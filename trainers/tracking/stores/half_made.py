"""A SQLite store whose making was cut off: MLflow neither goes on with it nor begins anew.

MLflow makes its tables by some sixty changes in a row, each on disk at once, and a few in two
steps. A kill in between leaves a table that the next start stumbles over.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from trainers.names import EXPERIMENT

# What MLflow, and we, put into a new store.
FILLED = ("alembic_version", "workspaces", "experiments", "experiment_tags")
EXPERIMENTS = ("Default", EXPERIMENT)


def emptied(path: Path) -> bool:
    """Drop the tables of a store in which nobody has kept anything; return whether that was done.

    The file stays, as MLflow keeps connections to it.

    Raises:
        sqlite3.Error: if the file is no database, or cannot be written.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("begin immediate")
        query = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        tables = [name for (name,) in store.execute(query)]
        if not tables or any(_is_kept(store, table) for table in tables):
            return False
        for table in tables:
            store.execute(f'drop table "{table}"')
        store.execute("commit")
    return True


def _is_kept(store: sqlite3.Connection, table: str) -> bool:
    """Return whether a table holds what somebody would miss."""
    if table == "experiments":
        return any(
            name not in EXPERIMENTS for (name,) in store.execute("select name from experiments")
        )
    return table not in FILLED and bool(
        store.execute(f'select 1 from "{table}" limit 1').fetchall()
    )

"""Stores: an empty one, copied as making one takes over a second of CPU; four who make one."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient

# Importing MLflow four times would take long, so that one process does and then becomes four.
AT_ONCE = """
import os, pathlib, sys
from trainers.tracking.store import ensure_store
go, ready = os.pipe()
children = []
for _ in range(4):
    if (child := os.fork()) == 0:
        os.close(ready)
        os.read(go, 1)  # until the parent closes its end: now
        print(ensure_store(pathlib.Path(sys.argv[1])), flush=True)
        os._exit(0)
    children.append(child)
os.close(ready)
sys.exit(max(os.waitpid(child, 0)[1] for child in children) != 0)
"""


@functools.cache
def _empty_store() -> Path:
    path = Path(tempfile.mkdtemp()) / "mlflow.db"
    atexit.register(shutil.rmtree, path.parent)
    MlflowClient(f"sqlite:///{path}").search_experiments()  # creates the schema
    return path


def copy_store(root: Path) -> None:
    """Give a project a store with MLflow's schema, which has no experiment yet."""
    shutil.copy(_empty_store(), root / "mlflow.db")

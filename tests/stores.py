"""A store without runs, copied where a test needs one: making one takes over a second of CPU."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient


@functools.cache
def _empty_store() -> Path:
    path = Path(tempfile.mkdtemp()) / "mlflow.db"
    atexit.register(shutil.rmtree, path.parent)
    MlflowClient(f"sqlite:///{path}").search_experiments()  # creates the schema
    return path


def copy_store(root: Path) -> None:
    """Give a project a store with MLflow's schema, which has no experiment yet."""
    shutil.copy(_empty_store(), root / "mlflow.db")

from __future__ import annotations

import pytest
from mlflow.tracking import MlflowClient

from trainers.tracking.store import ensure_store

# It ends whoever imports it, and pytest would, for its doctests.
collect_ignore = ["module_that_exits.py"]


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A project folder with an MLflow store, made once: making one takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        folder = tmp_path_factory.mktemp("project")
        ensure_store(folder)
    return folder


@pytest.fixture(scope="session")
def client(root):
    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")

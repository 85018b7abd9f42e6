from __future__ import annotations

import os

import pytest
from mlflow.tracking import MlflowClient

from trainers.tracking.store import ensure_store

# It ends whoever imports it, and pytest would, for its doctests.
collect_ignore = ["module_that_exits.py"]


STORE = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")


def _forget_the_store():
    """MLflow writes what it is told in this process into the environment, for those it starts."""
    for name in STORE:
        os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope="module")
def _no_store_of_another_file():
    _forget_the_store()


@pytest.fixture(autouse=True)
def _no_store_of_another_test(_no_store_of_another_file):
    _forget_the_store()


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

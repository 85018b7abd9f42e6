from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from trainers.learners.determinism import deterministic

# What tests share asserts too: a failure shows its values there as well.
pytest.register_assert_rewrite(
    *(f"tests.{folder.name}" for folder in Path(__file__).parent.iterdir() if folder.is_dir())
)

# What is imported and collected stays: looking through it for garbage would take seconds each time.
gc.disable()

# A hang-up ends a session, but where `nohup` has turned it off; the tests may run under that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# An example may take long on a busy machine.
settings.register_profile("any machine", deadline=None)
# For a long search, see ARCHITECTURE.md, Fuzzers.
settings.register_profile(
    "search", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "20000"))
)
settings.load_profile("any machine")


FIRST = ("tests/end_to_end/", "tests/ui/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest a file: sessions among pages, which wait while those compute."""
    folders = [
        list(dict.fromkeys(item.path for item in items if item.nodeid.startswith(folder)))
        for folder in FIRST
    ]
    places = {path: n / len(paths) for paths in folders for n, path in enumerate(paths)}
    items.sort(key=lambda item: places.get(item.path, 1.0))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _forget_the_store():
    """MLflow writes what it is told in this process into the environment, for those it starts."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope="module")
def _no_store_of_another_file():
    _forget_the_store()


@pytest.fixture(autouse=True)
def _no_store_of_another_test(_no_store_of_another_file):
    _forget_the_store()


@pytest.fixture(autouse=True, scope="session")
def _as_in_the_trainer():
    """One thread and deterministic algorithms, for fixtures of any scope too."""
    deterministic()

"""Makes a learner of an entry such as ``river:linear_model.LogisticRegression``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from trainers.config.entries import Entry
from trainers.learners.adapters.wrapped import check_installed
from trainers.learners.learner import Context, Learner

# Import paths, so that a process that makes no such learner imports no such library.
ESTIMATORS = "trainers.learners.adapters.estimators.estimator"
ADAPTERS = {
    "river": ESTIMATORS,
    "sklearn": ESTIMATORS,
    "lightgbm": ESTIMATORS,
    "xgboost": ESTIMATORS,
    "torch": "trainers.learners.adapters.torch_module",
    "mlflow": "trainers.learners.adapters.mlflow_model",
}


def adapted(entry: Entry, given: Mapping[str, Any], context: Context) -> Learner:
    """Make the learner that an entry names.

    Args:
        entry: an entry with a library.
        given: its settings, those of the adapter and those of what it wraps.
        context: the part of the session's settings that all learners may use.

    Raises:
        ConfigError: if the library is missing, has no such thing, or a setting is wrong.
    """
    check_installed(entry)
    adapter = importlib.import_module(ADAPTERS[entry.library])
    learner: Learner = adapter.learner_of(entry, given, context)
    return learner

"""Model versions: exported as pt2 (no pickle), raw bars in, registered under an alias."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import warnings

import mlflow
import mlflow.pytorch
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from torch import nn

from datamodules.features import raw_columns
from streaming.bars import Bars
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import Versioned
from trainers.names import CHALLENGER_ALIAS, model_name

# What serving needs; inferring it would take MLflow six seconds.
REQUIREMENTS = [
    f"{name}=={importlib.metadata.version(name).partition('+')[0]}"
    for name in ("mlflow", "torch", "numpy")
]


def log_version(
    client: MlflowClient,
    run_id: str,
    *,
    symbol: str,
    learner: str,
    module: nn.Module,
    example: NDArray[np.float64],
    step: int,
    candidate: str = "",
) -> int:
    """Log a model of a run, register it and make it the challenger; return its version.

    Args:
        client: of the store.
        run_id: the learner's run.
        symbol: the market.
        learner: the learner's name.
        module: in eval mode; raw bars ``(B, T, 10)`` float64 in, one tensor out.
        example: ``(B, T, 10)`` real bars, B >= 2: a batch of one would be frozen into the export.
        step: the cycle whose metrics belong to the version.
        candidate: which candidate it is, to be found again; a tag of the version.
    """
    mlflow.set_tracking_uri(client.tracking_uri)
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment, name=learner, source_run_id=run_id)
    _quiet()
    mlflow.pytorch.log_model(
        module,
        name=learner,
        input_example=example,
        pip_requirements=REQUIREMENTS,
        model_id=logged.model_id,
        step=step,
    )
    name = model_name(symbol, learner)
    with contextlib.suppress(MlflowException):  # it is there from the second version on
        client.create_registered_model(name)
    version = client.create_model_version(
        name,
        f"models:/{logged.model_id}",
        run_id,
        tags={"candidate": candidate} if candidate else None,
        model_id=logged.model_id,
    ).version
    client.set_registered_model_alias(name, CHALLENGER_ALIAS, str(version))
    return int(version)


def _quiet() -> None:
    """Registering prints to stderr what the session says in its own words."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")


def register(
    client: MlflowClient, run_id: str, market: str, runner: LearnerRunner, bars: Bars, cycle: int
) -> int | None:
    """Register the version with which a learner forecasts; None if it has none to give."""
    exported = runner.learner.export() if isinstance(runner.learner, Versioned) else None
    if exported is None:
        return None
    module, n_bars = exported
    raw = raw_columns(bars[-n_bars - 1 :])
    return log_version(
        client,
        run_id,
        symbol=market,
        learner=runner.name,
        module=module,
        example=np.stack([raw[:-1], raw[1:]]),
        step=cycle,
    )

"""Makes model versions: exported as pt2 (no pickle), with raw bars as input, and registered."""

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
from streaming.console import say
from streaming.errors import reason_of
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.own_code import LearnerError
from trainers.names import CHALLENGER_ALIAS, model_name

# The packages that serving needs; MLflow would take six seconds to infer them.
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
    """Log a model, register it and make it the challenger; return its version's number.

    Args:
        client: the MLflow store's client.
        run_id: the learner's run.
        symbol: the market.
        learner: the learner's name.
        module: the model in eval mode: raw bars ``(B, T, 16)`` float64 -> one tensor.
        example: ``(B, T, 16)`` float64, real bars; B >= 2, or the export would fix B at 1.
        step: the cycle whose metrics belong to the version.
        candidate: an identifier by which ``version_of_candidate`` finds the version again.
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
    with contextlib.suppress(MlflowException):  # it exists from the second version on
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
    """Silence MLflow's own messages about registering; the session prints a line of its own."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")


def register(
    client: MlflowClient, run_id: str, market: str, runner: LearnerRunner, bars: Bars, cycle: int
) -> int | None:
    """Register the model with which a learner forecasts now.

    Args:
        client: the MLflow store's client.
        run_id: the learner's run.
        market: the market's symbol.
        runner: the learner's runner.
        bars: ``(T,)`` of dtype ``BAR``; the newest become the model's input example.
        cycle: the cycle whose metrics belong to the version.

    Returns:
        The version's number; None if the learner has no model to register.
    """
    try:
        exported = runner.exported()
    except LearnerError as e:
        say(f"{runner.name} {market} is not registered: its export failed ({reason_of(e)})")
        return None
    if exported is None:
        return None
    module, n_bars = exported
    if not isinstance(module, nn.Module):
        what = type(module).__name__
        say(f"{runner.name} {market} is not registered: it exports a {what}, no torch module")
        return None
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

"""Makes model versions: exported as pt2 (no pickle), with raw bars as input, and registered."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import mlflow
import mlflow.pytorch
import numpy as np
from numpy.typing import NDArray
from torch import nn

from datamodules.features import raw_columns
from streaming.errors import reason_of
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.own_code import LearnerError
from trainers.names import CHALLENGER_ALIAS, SOURCE, model_of_run, source_name
from trainers.promotion.model_card import metadata, model_card
from trainers.promotion.registry import CANDIDATE, AliasMove, prune, record, version_of
from trainers.tracking.model_reader import audit_of
from trainers.tracking.stores.artifacts import artifact_store
from trainers.tracking.stores.client import MlflowClient, MlflowException

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
    move: AliasMove,
    candidate: str = "",
) -> int:
    """Log a model, register it and make it the challenger; return its version's number.

    Old versions are pruned.

    Args:
        client: the MLflow store's client.
        run_id: the learner's run, whose params say on which source it learned.
        symbol: the market.
        learner: the learner's name.
        module: the model in eval mode: raw bars ``(B, T, 16)`` float64 -> one tensor.
        example: ``(B, T, 16)`` float64, real bars; B >= 2, or the export would fix B at 1. If the
            module has ``outputs``, the names of its output's columns, the version tells them.
        move: the audit record of this; the metrics of its cycle belong to the version.
        candidate: an identifier by which ``version_of_candidate`` finds the version again.
    """
    mlflow.set_tracking_uri(client.tracking_uri)
    run = client.get_run(run_id)
    source = run.data.params[SOURCE]
    logged = client.create_logged_model(run.info.experiment_id, name=learner, source_run_id=run_id)
    bars, outputs = example.shape[1], getattr(module, "outputs", ())
    _quiet()
    with artifact_store():
        mlflow.pytorch.log_model(
            module,
            name=learner,
            input_example=example,
            pip_requirements=REQUIREMENTS,
            model_id=logged.model_id,
            step=move.cycle,
            metadata=metadata(bars, outputs),
            # It would load the model once more, a third of the time, to warn of what tests hold.
            validate_serving_input=False,
        )
    name = model_of_run(run.data.params, symbol, learner)
    told = f"{learner} on {symbol}, made by Tickloop sessions with the source {source}"
    with contextlib.suppress(MlflowException):  # it exists from the second version on
        client.create_registered_model(name, description=told)
    version = client.create_model_version(
        name,
        f"models:/{logged.model_id}",
        run_id,
        tags={SOURCE: source_name(source), **({CANDIDATE: candidate} if candidate else {})},
        description=model_card(name, symbol, learner, bars, outputs, run.data.params),
        model_id=logged.model_id,
    ).version
    client.set_registered_model_alias(name, CHALLENGER_ALIAS, str(version))
    record(client, name, int(version), move)
    prune(client, name)
    return int(version)


def _quiet() -> None:
    """Silence MLflow's own messages about registering; the session prints a line of its own."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")


class Registered(NamedTuple):
    """What came of registering a learner.

    Attributes:
        version: the version's number; 0 if the learner is not registered.
        text: the result, or the reason, in words.
    """

    version: int
    text: str


def register_learners(
    client: MlflowClient, session: str, trainer: MarketTrainer, runs: Mapping[str, str]
) -> Iterator[Registered]:
    """Register each learner of a market as it forecasts now; yield what came of it.

    A learner none of whose forecasts has been scored is not registered.

    Args:
        client: the MLflow store's client.
        session: run id of the session.
        trainer: the market's engine, between two cycles.
        runs: the run ids by learner.
    """
    for runner in trainer.roster.learners:
        who = f"{runner.name} {trainer.market}"
        try:
            if not trainer.tested(runner.name):
                if trainer.cycle:
                    yield _refused(who, "none of its forecasts has been scored")
            elif version := _registered_already(client, session, trainer, runner.name, runs):
                yield Registered(0, f"{who} is registered already, as version {version}")
            elif (exported := runner.exported()) is not None:
                yield _registered(client, session, trainer, runner, exported, runs[runner.name])
        except LearnerError as e:
            yield _refused(who, f"its export failed ({reason_of(e)})")


def _registered_already(
    client: MlflowClient,
    session: str,
    trainer: MarketTrainer,
    learner: str,
    runs: Mapping[str, str],
) -> int:
    """Return the version that was made at the end of the same cycle; 0 if there is none."""
    name = model_of_run(client.get_run(runs[learner]).data.params, trainer.market, learner)
    if not (version := version_of(client, name, CHALLENGER_ALIAS)):
        return 0
    made = {"action": "register", "by": "end", "session": session, "cycle": trainer.cycle}
    audit = audit_of(client.get_model_version(name, str(version)))
    return version if any(made.items() <= entry.items() for entry in audit) else 0


def _registered(
    client: MlflowClient,
    session: str,
    trainer: MarketTrainer,
    runner: LearnerRunner,
    exported: tuple[Any, int],
    run_id: str,
) -> Registered:
    module, n_bars = exported
    who = f"{runner.name} {trainer.market}"
    if not isinstance(module, nn.Module):
        return _refused(who, f"it exports a {type(module).__name__}, no torch module")
    raw = raw_columns(trainer.bars[-n_bars - 1 :])
    version = log_version(
        client,
        run_id,
        symbol=trainer.market,
        learner=runner.name,
        module=module,
        example=np.stack([raw[:-1], raw[1:]]),
        move=AliasMove("register", "end", session, trainer.cycle),
    )
    return Registered(version, f"registered {who} version {version}")


def _refused(who: str, why: str) -> Registered:
    return Registered(0, f"{who} is not registered: {why}")

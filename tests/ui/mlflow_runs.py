"""What a trainer would have logged, written by hand through the MLflow client."""

from __future__ import annotations

import json
import time

import numpy as np
from mlflow.entities import Param

from tests.ui.ledger_writer import AGENTS, BASELINES
from tests.ui.page_world import World, learner_tags
from trainers.names import Kind, Tag

VERDICT = {
    "decision": "wait", "reason": "not enough evidence yet", "log_e": 1.84, "log_threshold": 3.0,
    "bars": 720, "against": "logistic", "bars_left": 1260,
}  # fmt: skip
PROMOTED = {
    "decision": "promote", "reason": "better than logistic", "log_e": 3.21,
    "log_threshold": 3.0, "bars": 2400, "against": "logistic",
}  # fmt: skip
PARITY = "identical: 20 cycles, 1,240 metrics"


def typical(world: World, cycles: int = 24) -> dict[str, str]:
    """Log what a session of so many cycles has logged; return the learners' run ids."""
    runs = {name: world.learner(name) for name in ("cnn", "dqn")}
    runs["cnn.champion"] = world.learner("cnn.champion", kind="champion")
    runs |= {name: world.learner(name, kind="baseline") for name in BASELINES}
    with world.batched():
        _cycles(world, runs, cycles)
    world.tag(runs["cnn"], status="TRAINING", status_text=f"cycle {cycles}: 1,791 windows")
    world.tag(runs["cnn"], champion="2", verdict=json.dumps(VERDICT))
    world.tag(runs["dqn"], champion="")
    world.tag(world.run_id, status="TRAINING", status_text="training", parity=PARITY)
    world.events(*(f"cycle {cycle} done in 0.8 s" for cycle in range(cycles - 5, cycles + 1)))
    _params(world, runs)
    return runs


def _cycles(world: World, runs: dict[str, str], cycles: int) -> None:
    rng = np.random.default_rng(7)
    for cycle in range(1, cycles + 1):
        _cnn(world, runs["cnn"], cycle, 0.01 * rng.normal() * (cycle < cycles))
        _dqn(world, runs["dqn"], cycle, 0.01 * rng.normal() * (cycle < cycles))
        world.log(
            runs["cnn.champion"], cycle, live__accuracy=0.531 + 0.004 * rng.normal(),
            live__scored=25 * cycle, live__edge=0.002, live__edge_ci=0.006,
        )  # fmt: skip
        world.log(world.run_id, cycle, stream__ticks=18_000, stream__bars=900)
        _baselines(world, runs, cycle, rng)


def _cnn(world: World, run: str, cycle: int, noise: float) -> None:
    width = 0.3 / np.sqrt(30 * cycle)
    world.log(
        run, cycle, train__accuracy=0.61, train__loss=0.6729, train__epochs=2 * cycle,
        train__learning_rate=0.001, live__scored=30 * cycle, live__accuracy=0.542 + noise,
        live__accuracy_ci=0.036, live__log_loss=0.6871, live__log_loss_ci=0.004,
        live__edge=0.0042 + noise / 10, live__edge_ci=width, live__break_even=0.618,
        live__pnl_bps=-12.4, live__pnl_bps_ci=9.1, live__trades=14, live__win_rate=0.5,
        promotion__log_e=1.84 * cycle / 24, promotion__log_threshold=3.0,
        horizon__1s__move_bps=0.41, horizon__1s__move_bps_ci=0.02,
        horizon__1s__break_even=1.72, horizon__1s__break_even_ci=0.06,
        horizon__60s__move_bps=3.2, horizon__60s__break_even=0.8125,
        horizon__60s__break_even_ci=0.03,
    )  # fmt: skip
    for window in ("10m", "1h"):
        named = {
            f"live__{window}__accuracy": 0.551, f"live__{window}__accuracy_ci": 0.041,
            f"live__{window}__log_loss": 0.6859, f"live__{window}__edge": 0.0051,
            f"live__{window}__edge_ci": 0.0093, f"live__{window}__pnl_bps": -4.2,
        }  # fmt: skip
        world.log(run, cycle, **named)


def _dqn(world: World, run: str, cycle: int, noise: float) -> None:
    world.log(
        run, cycle, train__average_reward=-0.0312, train__episodes=4 * cycle,
        train__epsilon=0.0797, train__memory_size=850 + 30 * cycle, live__scored=0,
        live__win_rate=0.481 + noise, live__win_rate_ci=0.11, live__trades=27,
        live__pnl_bps=-31.6, live__pnl_bps_ci=14.0, live__edge_bps=-29.6,
        live__edge_bps_ci=15.5, live__10m__pnl_bps=-9.5,
        live__10m__trades=8, live__1h__pnl_bps=-31.6,
    )  # fmt: skip


def _baselines(world: World, runs: dict[str, str], cycle: int, rng: np.random.Generator) -> None:
    for name in BASELINES:
        if name in AGENTS:
            world.log(runs[name], cycle, live__trades=3, live__pnl_bps=-2.0, live__scored=0)
        else:
            world.log(
                runs[name], cycle, live__accuracy=0.51 + 0.005 * rng.normal(),
                live__scored=30 * cycle, live__log_loss=0.6913, live__pnl_bps=-1.0,
                live__trades=2,
            )  # fmt: skip


def _params(world: World, runs: dict[str, str]) -> None:
    shared = {"source": "sim", "symbols": "BTCUSDT", "seed": "0", "cycle_seconds": "30.0"}
    for run in (world.run_id, *runs.values()):
        params = [Param(name, value) for name, value in shared.items()]
        world.client.log_batch(run, params=params)


def earlier_session(world: World, days: float = 1.0, **tags: str) -> dict[str, str]:
    """Make an ended session of before, with a CNN; returns both run ids."""
    start = int((time.time() - 86_400 * days) * 1000)
    about = {Tag.KIND: Kind.SESSION, Tag.SYMBOL: "BTCUSDT", Tag.STATUS: "IDLE", **tags}
    session = world.client.create_run(world.experiment, start, about).info.run_id
    world.client.set_tag(session, "session", session)
    named = {**learner_tags("cnn", "BTCUSDT"), Tag.SESSION: session}
    cnn = world.client.create_run(world.experiment, start, named).info.run_id
    with world.batched():
        for cycle in range(1, 31):
            world.log(cnn, cycle, live__accuracy=0.52 + cycle / 1000, live__scored=30 * cycle)
    world.log(session, 30, stream__ticks=54_000)
    for run in (session, cnn):
        params = {"source": "sim", "symbols": "BTCUSDT", "seed": "1", "cycle_seconds": "30.0"}
        world.client.log_batch(run, params=[Param(k, v) for k, v in params.items()])
        world.client.set_terminated(run, "FINISHED", start + 930_000)
    return {"session": session, "cnn": cnn}


def register(world: World, run: str, name: str = "tickloop-btcusdt-cnn", versions: int = 3) -> None:
    """Register versions as the trainer does: the one before the newest serves."""
    world.client.create_registered_model(name)
    for n in range(1, versions + 1):
        made = world.client.create_model_version(name, f"runs:/{run}/model", run)
        first = {
            "ts": time.time() - 3600 * (versions - n), "action": "register", "by": "evidence",
            "session": world.run_id, "cycle": 8 * n, "verdict": {},
        }  # fmt: skip
        world.client.set_model_version_tag(name, made.version, "audit.1", json.dumps(first))
    second = {**first, "action": "promote", "cycle": 20, "verdict": PROMOTED}
    world.client.set_model_version_tag(name, str(versions - 1), "audit.2", json.dumps(second))
    for alias, version in {"champion": 2, "challenger": 3, "previous": 1}.items():
        world.client.set_registered_model_alias(name, alias, str(version))

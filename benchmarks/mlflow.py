"""MLflow writes of a cycle as a share of the cycle: the real lane, tracker and SQLite store.

The learners are quick stand-ins that report as many metrics as the real ones: only writing is
measured. Eleven runs are written: the session's, two learners' and eight baselines'.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.market import ticks_of
from benchmarks.measuring import median
from benchmarks.table import Row
from streaming.ingest import Ingest
from streaming.ticks import Ticks
from trainers.config import SessionConfig, session_folder
from trainers.cycle import Lane
from trainers.learners.learner import Learner
from trainers.learners.registry import make_baselines
from trainers.seat import Seat
from trainers.tracking.runs import start_learner, start_session
from trainers.tracking.store import ensure_store
from trainers.tracking.tracker import Tracker

CYCLES = 40
CYCLE_SECONDS = 30.0
PER_SECOND = 60
SYMBOL = "BTCUSDT"

TRAIN = (
    "loss", "accuracy", "epochs", "learning_rate", "epsilon", "episodes", "average_reward",
    "memory_size", "updates",
)  # fmt: skip


class Quick:
    """A learner that learns nothing, in no time."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind

    def forecast(self, bars: Any) -> Any:
        return 0.7 if self.kind == "forecaster" else (1, (0.0, 1.0))

    def learn(self, snapshot: Any) -> dict[str, float]:
        return dict.fromkeys(TRAIN, 0.5)


@contextmanager
def lane_of(root: Path) -> Iterator[tuple[Lane, Ingest, Tracker, str]]:
    """Make a session in a new store, without its processes."""
    from mlflow.tracking import MlflowClient

    config = SessionConfig(backfill_seconds=0)
    client = MlflowClient(ensure_store(root))
    run_id = start_session(client, config, root)
    session = session_folder(root, run_id)
    session.mkdir(parents=True)
    ingest = Ingest(session, SYMBOL, config)
    tracker = Tracker(client, run_id)

    def seat(learner: Learner, kind: str) -> Seat:
        run = start_learner(client, config, run_id, SYMBOL, learner.name, kind=kind)
        return Seat(learner, run, config.confidence, tracker)

    learners = [
        seat(learner, "learner") for learner in (Quick("cnn", "forecaster"), Quick("dqn", "agent"))
    ]
    baselines = [seat(learner, "baseline") for learner in make_baselines(config).values()]
    try:
        yield Lane(config, session, SYMBOL, learners, baselines, tracker), ingest, tracker, run_id
    finally:
        tracker.close(10)
        ingest.close()


def a_cycle(lane: Lane, ingest: Ingest, tracker: Tracker, run_id: str, ticks: Ticks) -> float:
    """Run one cycle; return the seconds spent writing to the store."""
    before, cycle = tracker.write_seconds, lane.cycle
    for second in np.split(ticks, len(ticks) // PER_SECOND):  # each bar is forecast when it is new
        ingest.push(second)
        lane.advance()
    lane.wanted = lane.cycle == cycle  # the last tick may lie just before the cycle is due
    lane.advance()
    assert lane.cycle == cycle + 1
    totals = {f"stream/{name}": value for name, value in lane.stream_metrics().items()}
    tags = {"status": "IDLE", "status_text": f"cycle {lane.cycle}"}
    tracker.log(run_id, lane.cycle, totals, tags)
    deadline = time.monotonic() + 30
    while tracker._queue and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not tracker._queue
    return tracker.write_seconds - before


def run() -> list[Row]:
    """Measure the writes of cycles in a store that fills."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)  # a store of our own, in a folder of our own
    step = int(CYCLE_SECONDS) * PER_SECOND
    ticks = ticks_of(int(CYCLE_SECONDS) * (CYCLES + 1), PER_SECOND)
    with (
        tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder,
        lane_of(Path(folder)) as (lane, ingest, tracker, run_id),
    ):
        found = [
            a_cycle(lane, ingest, tracker, run_id, ticks[i * step : (i + 1) * step])
            for i in range(CYCLES)
        ]
    spent = median(found)
    about = "in a real SQLite store, eleven runs"
    return [
        Row("MLflow writes", spent, CYCLE_SECONDS, "s", "<=", 0.02, "a 30-s cycle", about),
        Row("MLflow writes", spent, CYCLE_SECONDS / 10, "s", "<=", 0.02, "the same at speed 10"),
    ]

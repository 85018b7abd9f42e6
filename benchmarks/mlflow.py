"""MLflow writes of a cycle as a share of the cycle: the real engine, tracker and SQLite store.

Thirteen runs are written: the session's, two learners', their champions' and eight baselines'.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.tracking import MlflowClient

from benchmarks.market import ticks_of
from benchmarks.measuring import median, one_thread
from benchmarks.table import Row
from streaming.feed.market.ingest import Ingest
from streaming.ticks import Ticks
from trainers.config import SessionConfig, session_folder
from trainers.engine.commands import CycleDone
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, MARKET_OUTBOX, of_market
from trainers.session.market.live_market import LiveMarket
from trainers.session.trainer.session_part import SessionPart
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.runs.run_ids import RunIds
from trainers.tracking.store import ensure_store
from trainers.tracking.tracker import Tracker

CYCLES = 40
CYCLE_SECONDS = 30.0
PER_SECOND = 60
SYMBOL = "BTCUSDT"


@dataclass
class Rig:
    """A market with all that it writes to."""

    market: LiveMarket
    part: SessionPart
    ingest: Ingest
    tracker: Tracker

    def cycle(self, ticks: Ticks) -> float:
        """Run one cycle; return the seconds spent writing to the store."""
        before, found = self.tracker.write_seconds, []
        for second in np.split(ticks, len(ticks) // PER_SECOND):  # each bar is forecast when new
            self.ingest.push(second)
            found.append(self._go_on())
        trainer = self.market.trainer
        trainer.wanted = not any(found)  # the last tick may lie just before it is due
        found.append(self._go_on())
        (done,) = (one for one in found if one is not None)
        self.part.cycle_done(done.cycle, done.wall_ms)
        deadline = time.monotonic() + 30
        while self.tracker.behind and time.monotonic() < deadline:
            time.sleep(0.005)
        assert not self.tracker.behind
        return self.tracker.write_seconds - before

    def _go_on(self) -> CycleDone | None:
        """Let the market do what is due; return what its cycle came to, if one ran."""
        self.market.take()
        done = None
        while self.market.running or self.market.due:
            done = self.market.step()
        return done


@contextmanager
def rig_of(root: Path) -> Iterator[Rig]:
    """Make a session in a new store, without its processes."""
    config = SessionConfig(backfill_seconds=0)
    client = MlflowClient(ensure_store(root))
    run_id = start_session(client, config, root)
    session = session_folder(root, run_id)
    session.mkdir(parents=True)
    ingest = Ingest(session, SYMBOL, config)
    tracker = Tracker(client)
    market = LiveMarket(
        session,
        DecisionLog(of_market(session, SYMBOL, DECISIONS)),
        MarketTrainer(config, SYMBOL, make_roster(config, SYMBOL)),
        RunIds(client, config, session, SYMBOL),
        tracker.writer(of_market(session, SYMBOL, MARKET_OUTBOX)),
        lambda learner, version: None,
        lambda code, text: None,
    )
    try:
        yield Rig(market, SessionPart(session, config, tracker), ingest, tracker)
    finally:
        tracker.close(10)
        market.close()
        ingest.close()


def run() -> list[Row]:
    """Measure the writes of cycles in a store that fills."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)  # a store of our own, in a folder of our own
    one_thread()
    step = int(CYCLE_SECONDS) * PER_SECOND
    ticks = ticks_of(int(CYCLE_SECONDS) * (CYCLES + 1), PER_SECOND)
    with (
        tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder,
        rig_of(Path(folder)) as rig,
    ):
        found = [rig.cycle(ticks[i * step : (i + 1) * step]) for i in range(CYCLES)]
    spent = median(found)
    about = "in a real SQLite store, thirteen runs"
    return [
        Row("MLflow writes", spent, CYCLE_SECONDS, "s", "<=", 0.02, "a 30-s cycle", about),
        Row("MLflow writes", spent, CYCLE_SECONDS / 10, "s", "<=", 0.02, "the same at speed 10"),
    ]

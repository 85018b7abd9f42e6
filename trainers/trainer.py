"""The training process of a session.

    python -m trainers.trainer SESSION_FOLDER

Reads the rings, learns, and logs to MLflow. Ends by itself after ``cycles`` cycles, on SIGTERM,
or when its parent is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mlflow.tracking import MlflowClient

from datamodules.features import raw_columns
from streaming.cache import feed_events, supervisor_events
from streaming.errors import KnobError
from streaming.process import end_with_parent
from streaming.ring import Ring
from trainers.config import SessionConfig
from trainers.controls import RefusedError, apply_control
from trainers.cycle import Lane, wait_for_rings
from trainers.learners.learner import Learner
from trainers.learners.registry import make_baselines, make_learners
from trainers.seat import Seat
from trainers.tracking.models import log_version
from trainers.tracking.runs import start_learner
from trainers.tracking.store import tracking_uri
from trainers.tracking.tracker import Tracker

log = logging.getLogger(__name__)

LOOP_SECONDS = 0.05
PROGRESS_SECONDS = 2.0
CLOSE_SECONDS = 1.5

# How the symbols' stream metrics become the session's, where that is not their sum.
OF_SYMBOLS: dict[str, Callable[[list[float]], float]] = {"lag_ms": max, "span_seconds": min}


class Trainer:
    """All symbols' learning, until done or stopped.

    Args:
        session: the session's folder; its name is the session's run id.
    """

    def __init__(self, session: Path) -> None:
        self.session = session
        self.config = SessionConfig.load(session / "config.json")
        self.client = MlflowClient(tracking_uri(Path.cwd()))
        self.tracker = Tracker(self.client, session.name)
        self.stopped = False
        self.lanes: list[Lane] = []
        self._events: list[tuple[Ring, int]] = []
        self._told = 0.0
        self._finished_tape = False

    def stop(self) -> None:
        """Ask for the end after the step at hand."""
        self.stopped = True

    def run(self) -> None:
        """Train until done."""
        if not wait_for_rings(self.session, self.config.symbol_list, lambda: self.stopped):
            return
        self.lanes = [self._make_lane(symbol) for symbol in self.config.symbol_list]
        self._events = [(feed_events(self.session), 0), (supervisor_events(self.session), 0)]
        while not self.stopped:
            self._pass_on_events()
            self._take_controls()
            trained = [lane for lane in self.lanes if lane.advance()]
            for lane in trained:
                self._report(lane)
            if self._done():
                self._log_versions()
                break
            if not trained:
                self._show_progress()
                time.sleep(LOOP_SECONDS)

    def close(self) -> None:
        """Deliver what is not logged yet."""
        self._pass_on_events()
        if not self.tracker.close(CLOSE_SECONDS):
            log.error("the MLflow store did not take the last metrics in %s s", CLOSE_SECONDS)

    def _make_lane(self, symbol: str) -> Lane:
        learners = make_learners(self.config)
        baselines = make_baselines(self.config) if learners else {}
        return Lane(
            self.config,
            self.session,
            symbol,
            [self._seat(symbol, learner, "learner") for learner in learners.values()],
            [
                self._seat(symbol, baseline, "baseline")
                for name, baseline in baselines.items()
                if name not in learners
            ],
            self.tracker,
        )

    def _seat(self, symbol: str, learner: Learner, kind: str) -> Seat:
        run = start_learner(
            self.client, self.config, self.session.name, symbol, learner.name, kind=kind
        )
        return Seat(learner, run, self.config.confidence, self.tracker)

    def _done(self) -> bool:
        if self.config.cycles and all(lane.cycle >= self.config.cycles for lane in self.lanes):
            return True
        if not all(lane.ended for lane in self.lanes):
            return False
        if not self._finished_tape:
            # One more cycle for what came after the last cut, then there is nothing to wait for.
            self._finished_tape = True
            for lane in self.lanes:
                lane.wanted = lane.has_new_bars
            return False
        return self.config.cycles > 0 and not any(lane.wanted for lane in self.lanes)

    def _log_versions(self) -> None:
        for lane in self.lanes:
            for seat in lane.learners:
                self._log_version(lane, seat)

    def _log_version(self, lane: Lane, seat: Seat) -> None:
        exported = getattr(seat.learner, "export", lambda: None)()
        if exported is None:
            return
        module, n_bars = exported
        raw = raw_columns(lane.ring.tail(n_bars + 1).rows)
        name = seat.learner.name
        version = log_version(
            self.client,
            seat.run_id,
            symbol=lane.symbol,
            learner=name,
            module=module,
            example=np.stack([raw[:-1], raw[1:]]),
            step=lane.cycle,
        )
        self.tracker.event(f"{lane.symbol} {name} registered as version {version}")
        _say(f"registered {name} {lane.symbol} version {version}")

    # ---- controls, events, words

    def _take_controls(self) -> None:
        while not self.tracker.controls.empty():
            name, value = self.tracker.controls.get()
            try:
                done = apply_control(name, value, self.lanes, self.stop)
            except RefusedError as e:
                done = f"refused {e}"
            paused = self.lanes[0].paused
            tags = {"status": "PAUSED" if paused else "IDLE", "status_text": done}
            self.tracker.log(self.session.name, self.lanes[0].cycle, tags=tags)
            self.tracker.event(done)

    def _pass_on_events(self) -> None:
        for i, (ring, seen) in enumerate(self._events):
            new = ring.read(seen)
            for row in new.rows:
                self.tracker.event(row["text"].decode(errors="replace"), float(row["ts"]) / 1e9)
            self._events[i] = (ring, new.first + len(new.rows))

    def _report(self, lane: Lane) -> None:
        if lane is self.lanes[0]:
            every = [other.stream_metrics() for other in self.lanes if other.cycle]
            totals = {
                f"stream/{name}": OF_SYMBOLS.get(name, sum)([metrics[name] for metrics in every])
                for name in every[0]
            }
            text = f"cycle {lane.cycle}" + (
                f" of {self.config.cycles}" if self.config.cycles else ""
            )
            tags = {"status": "IDLE", "status_text": text}
            self.tracker.log(self.session.name, lane.cycle, totals, tags)
        ticks, bars = lane.n_ticks, lane.n_bars
        seconds = sum(seat.report.get("seconds", 0.0) for seat in lane.seats)
        _say(f"{lane.words()}  |  {ticks:,} ticks, {bars:,} bars, trained {seconds:.1f} s")

    def _show_progress(self) -> None:
        """Say how far the wait for the first cycle has come."""
        waiting = [lane for lane in self.lanes if lane.cycle == 0]
        if not waiting or time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        need = self.config.min_ticks
        found = ", ".join(f"{lane.symbol} {min(lane.n_ticks, need)}/{need}" for lane in waiting)
        _say(f"gathering ticks for the first cycle: {found}")
        text = f"warming up {min(lane.n_ticks for lane in waiting)}/{need} ticks"
        self.tracker.log(self.session.name, 0, tags={"status": "IDLE", "status_text": text})


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  (what the person who started the session reads)


def main() -> None:
    """Run as a process of a session."""
    logging.basicConfig(level=logging.WARNING, format="trainer: %(message)s")
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)  # the session's run is not for MLflow's fluent API to resume
    torch.set_num_threads(1)  # two threads gain nothing at these sizes, and change the sums
    torch.use_deterministic_algorithms(True)
    end_with_parent()
    trainer = Trainer(Path(sys.argv[1]))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: trainer.stop())
    try:
        trainer.run()
    except KnobError as e:
        print(f"trainer: {e}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    finally:
        trainer.close()
    # All is delivered and flushed; unloading torch and MLflow would take another second.
    os._exit(0)


if __name__ == "__main__":
    main()

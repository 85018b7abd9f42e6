"""The training process of a session.

    python -m trainers.session.trainer SESSION_FOLDER

Reads the rings, learns, and logs to MLflow. Ends by itself after ``cycles`` cycles, on SIGTERM,
or when its parent is gone. Started again after a kill, it goes on from the last checkpoint and does
once more what the journal has after it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import queue
import signal
import sys
import time
from pathlib import Path

from mlflow.tracking import MlflowClient

from streaming.cache import feed_events, supervisor_events
from streaming.errors import StreamingError
from streaming.process import end_with_parent
from streaming.ring import Ring
from trainers.config import SessionConfig
from trainers.drivers.schedule import Hashes, LiveSchedule, RecordedSchedule, drive
from trainers.drivers.streams import LiveStream
from trainers.engine.assembly import deterministic, make_lane, session_metrics
from trainers.engine.controls import RefusedError, apply_control, control_result
from trainers.engine.market_trainer import Lane, wait_for_rings
from trainers.promotion.alias_watcher import MODELS, Versions, Watch
from trainers.promotion.controller import Championship
from trainers.promotion.registry import roll_back
from trainers.promotion.versions import register_of
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.decision_log import FORMAT, Entry, Journal
from trainers.recording.files import CHECKPOINT, JOURNAL, OUTBOX
from trainers.recording.ledger import Ledger
from trainers.tracking.run_ids import RunIds
from trainers.tracking.store import tracking_uri
from trainers.tracking.tracker import EVENTS_KEPT, Tracker
from trainers.tracking.uploads import Uploads

log = logging.getLogger(__name__)

LOOP_SECONDS = 0.05
PROGRESS_SECONDS = 2.0
CLOSE_SECONDS = 1.5


class Trainer:
    """All symbols' learning, until done or stopped.

    Args:
        session: the session's folder; its name is the session's run id.

    Raises:
        StreamingError: if what an earlier trainer left cannot be gone on with.
    """

    def __init__(self, session: Path) -> None:
        self.session = session
        self.config = SessionConfig.load(session / "config.json")
        self.client = MlflowClient(tracking_uri(Path.cwd()))
        self.journal = Journal(session / JOURNAL)
        self._uploads = Uploads(self.client, session, self.journal)
        self._noted: queue.SimpleQueue[str] = queue.SimpleQueue()  # by the tracker's thread
        self.tracker = Tracker(
            self.client, session.name, session / OUTBOX, chores=self._chores, tell=self._noted.put
        )
        self.stopped = False
        self.lanes: dict[str, Lane] = {}
        self.versions = Versions(self.client, session / MODELS)
        self.champions = Championship(
            session,
            self.lanes,
            self.journal,
            self.tracker,
            self._say_event,
            self.versions,
            Watch(self.client, self.versions, self._noted.put),
            functools.partial(roll_back, self.client),
        )
        self._live = LiveSchedule(self.journal)
        self._events: dict[str, tuple[Ring, int]] = {}
        self._told = 0.0
        self._finished_tape = False

    def stop(self) -> None:
        """Ask for the end after the step at hand."""
        self.stopped = True

    def run(self) -> None:
        """Train until done."""
        if not wait_for_rings(self.session, self.config.symbol_list, lambda: self.stopped):
            return
        self._begin()
        while not self.stopped:
            self._pass_on_events()
            self._say_noted()
            self._take_controls()
            self.champions.take()
            trained = [lane for lane in self.lanes.values() if lane.advance(self._live)]
            for lane in trained:
                self._cycled(lane)
            if self._done():
                self._log_versions()
                break
            if not trained:
                self._show_progress()
                time.sleep(LOOP_SECONDS)

    def close(self) -> None:
        """Deliver what is not logged yet."""
        self._pass_on_events()
        self._say_noted()
        if not self.tracker.close(CLOSE_SECONDS):
            log.error(
                "the MLflow store did not take the last metrics in %s s; they are kept for when it"
                " is back",
                CLOSE_SECONDS,
            )

    # ---- begin, or go on

    def _begin(self) -> None:
        """Make the lanes; do what the journal says that the checkpoint does not hold yet."""
        checkpoint = load_checkpoint(self.session / CHECKPOINT)
        done = self.journal.entries
        tail = RecordedSchedule(
            done[checkpoint["entries"] if checkpoint else 0 :],
            compare=self._compare,
            then=self._live,
        )
        run_ids = RunIds(self.client, self.config, self.session)
        for symbol in self.config.symbol_list:
            stream = LiveStream(self.session, symbol)
            ledger = functools.partial(Ledger, self.session, symbol)
            self.lanes[symbol] = make_lane(
                self.config, symbol, stream, tail, run_ids.of, self.tracker, ledger
            )
        self._remember_events(done)
        if checkpoint is not None:
            for symbol, lane in self.lanes.items():
                models = functools.partial(self.versions.load, symbol)
                for name in lane.load_state_dict(checkpoint["lanes"][symbol], models):
                    self._say_event(f"{name} has no state_dict: it begins anew")
        self.journal.write("began", format=FORMAT, config=dataclasses.asdict(self.config))
        if done:
            self._say_event(self._resumed(checkpoint))
        drive(
            tail,
            self.lanes,
            control=self._do_again,
            champion=self.champions.install_again,
            cycled=self._cycled,
        )
        for lane in self.lanes.values():
            lane.schedule = self._live
        if done:
            self._checkpoint()
        self.champions.begin()

    def _do_again(self, entry: Entry) -> None:
        if entry["name"] not in ("stop", "promote", "rollback"):  # who resumes wants to go on
            self._apply(entry["name"], entry["value"])

    def _resumed(self, checkpoint: Entry | None) -> str:
        cycles = max(lane.cycle for lane in self.lanes.values())
        torn = f"; {self.journal.torn} bytes of a torn line cut off" if self.journal.torn else ""
        since = f"cycle {cycles}" if checkpoint else "the beginning"
        return f"the trainer goes on from {since}{torn}"

    def _compare(self, symbol: str, cycle: int, recorded: Hashes, now: Hashes) -> None:
        if recorded != now:
            self._say_event(f"{symbol}: cycle {cycle}, done again, came to something else")

    def _chores(self) -> None:
        """Do what may wait for the store; called by the tracker's thread."""
        self._uploads.closed_segments()
        self.champions.look()

    def _checkpoint(self) -> None:
        state = {symbol: lane.state_dict() for symbol, lane in self.lanes.items()}
        path = self.session / CHECKPOINT
        save_checkpoint(path, {"entries": self.journal.count, "lanes": state})

    # ---- cycles

    def _cycled(self, lane: Lane) -> None:
        """Say what a cycle came to, and save it."""
        self._report(lane)
        if lane.schedule is self._live:
            self.champions.follow(lane)
            self._checkpoint()

    def _done(self) -> bool:
        lanes = self.lanes.values()
        if self.config.cycles and all(lane.cycle >= self.config.cycles for lane in lanes):
            return True
        if not all(lane.stream.ended for lane in lanes):
            return False
        if not self._finished_tape:
            # One more cycle for what came after the last cut, then there is nothing to wait for.
            self._finished_tape = True
            for lane in lanes:
                lane.wanted = lane.has_new_bars
            return False
        return self.config.cycles > 0 and not any(lane.wanted for lane in lanes)

    def _log_versions(self) -> None:
        self.champions.wait()
        for lane in self.lanes.values():
            for seat in lane.learners:
                if (version := register_of(self.client, lane, seat)) is not None:
                    name = f"{lane.symbol} {seat.learner.name}"
                    self.tracker.event(f"{name} registered as version {version}")
                    _say(f"registered {seat.learner.name} {lane.symbol} version {version}")

    # ---- controls, events, words

    def _take_controls(self) -> None:
        while not self.tracker.controls.empty():
            asked = self.tracker.controls.get()
            lane = next(iter(self.lanes.values()))
            try:
                text, result = self._apply(*asked), "applied"
                self.journal.write("control", name=asked[0], value=asked[1], cycle=lane.cycle)
            except RefusedError as e:
                text, result = f"refused {e}", "refused"
            status = "PAUSED" if lane.paused else "IDLE"
            answer = control_result(asked[1], lane.cycle, result, text)
            tags = {"status": status, "status_text": text, f"control_result/{asked[0]}": answer}
            self.tracker.answer(asked, tags)
            self.tracker.event(text)

    def _apply(self, name: str, value: str) -> str:
        if name in ("promote", "rollback"):
            return self.champions.by_hand(name, value)
        return apply_control(name, value, list(self.lanes.values()), self.stop)

    def _remember_events(self, entries: list[Entry]) -> None:
        """Go on with the events after those that the trainer before has passed on."""
        events = [entry for entry in entries if entry["do"] == "event"]
        for entry in events[-EVENTS_KEPT:]:
            self.tracker.events.append({"ts": entry["ts"], "text": entry["text"]})
        rings = {"feed": feed_events, "supervisor": supervisor_events}
        for writer, ring in rings.items():
            seen = [entry["seq"] + 1 for entry in events if entry["of"] == writer]
            self._events[writer] = (ring(self.session), max(seen, default=0))

    def _pass_on_events(self) -> None:
        for writer, (ring, seen) in self._events.items():
            new = ring.read(seen)
            for seq, row in enumerate(new.rows, new.first):
                text, ts = row["text"].decode(errors="replace"), float(row["ts"]) / 1e9
                self.journal.write("event", of=writer, seq=seq, ts=ts, text=text)
                self.tracker.event(text, ts)
            self._events[writer] = (ring, new.first + len(new.rows))

    def _say_noted(self) -> None:
        while not self._noted.empty():
            self._say_event(self._noted.get())

    def _say_event(self, text: str) -> None:
        self.journal.write("event", of="trainer", seq=0, ts=time.time(), text=text)
        self.tracker.event(text)
        _say(text)

    def _report(self, lane: Lane) -> None:
        if lane is next(iter(self.lanes.values())):
            text = f"cycle {lane.cycle}" + (
                f" of {self.config.cycles}" if self.config.cycles else ""
            )
            tags = {"status": "IDLE", "status_text": text}
            totals = session_metrics(list(self.lanes.values()))
            self.tracker.log(self.session.name, lane.cycle, totals, tags, lane.wall_ms)
        ticks, bars = int(lane.stream_metrics["ticks"]), lane.next_bar
        seconds = sum(seat.seconds for seat in lane.seats)
        _say(f"{lane.words()}  |  {ticks:,} ticks, {bars:,} bars, trained {seconds:.1f} s")

    def _show_progress(self) -> None:
        """Say how far the wait for the first cycle has come."""
        waiting = [lane for lane in self.lanes.values() if lane.cycle == 0]
        if not waiting or time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        need = self.config.min_ticks
        found = [(lane.symbol, lane.stream.n_ticks) for lane in waiting]
        words = ", ".join(f"{symbol} {min(ticks, need)}/{need}" for symbol, ticks in found)
        _say(f"gathering ticks for the first cycle: {words}")
        text = f"warming up {min(ticks for _, ticks in found)}/{need} ticks"
        self.tracker.log(self.session.name, 0, tags={"status": "IDLE", "status_text": text})


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  (what the person who started the session reads)


def main() -> None:
    """Run as a process of a session."""
    # MLflow's import has set it to errors alone.
    logging.basicConfig(level=logging.WARNING, format="trainer: %(message)s", force=True)
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)  # the session's run is not for MLflow's fluent API to resume
    deterministic()
    end_with_parent()
    try:
        trainer = Trainer(Path(sys.argv[1]))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: trainer.stop())
        with contextlib.closing(trainer):
            trainer.run()
    except StreamingError as e:
        print(f"trainer: {e}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    # All is delivered and flushed; unloading torch and MLflow would take another second.
    os._exit(0)


if __name__ == "__main__":
    main()

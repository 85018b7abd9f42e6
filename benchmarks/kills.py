"""``kill -9`` of every process of a session at random, 50 times: is anything lost?

After each kill of the whole session it is resumed; a single process is left to the supervisor. At
the end: every tick that a cycle saw is on tape, every bar has its rows, every cycle its metrics
once, no run is left running, and a replay comes to the same bits.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from benchmarks.processes import plain_environment, words_of
from benchmarks.system import replay_of
from benchmarks.table import Row
from streaming.ticks import AFTER_GAP
from trainers.recording.contents.stream_rows import read_rows
from trainers.recording.decision_log import cycles_ended, read_decisions
from trainers.recording.files import DECISIONS, RUNS, of_market
from trainers.recording.ledger import read_ledger
from trainers.session.addresses import free_ports
from trainers.session.processes.programs import EXCHANGE, FEED, PAGE, TRAINER
from trainers.tracking.runs.search import runs_of

KILLS = 50
SPEED = 10
MODULES = {"exchange": EXCHANGE, "feed": FEED, "trainer": TRAINER, "page": PAGE}
TARGETS = ("exchange", "feed", "trainer", "page", "session", "all")
WITHIN_S = (0.5, 5.0)  # from all being there to the kill: also within a cycle's training


class Session:
    """A session in a folder that is started again whenever it was killed.

    Args:
        folder: the project's root; made if missing.
        settings: of the session.
        rng: decides what is killed, and when.
        module: the program.
        environment: additions to the environment.
    """

    def __init__(
        self,
        folder: Path,
        rng: random.Random,
        *,
        module: str = "trainers.session",
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.folder, self.rng = folder, rng
        self.module, self.environment = module, plain_environment() | dict(environment or {})
        self.settings = {"page_port": 0, "mlflow_ui_port": 0, "parity": "false", **settings}
        self.killed: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the session, or resume it."""
        settings = dict(self.settings)
        if self.sessions():
            settings["resume"] = "last"
        flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        with (self.folder / "out.txt").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, *flags],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def sessions(self) -> list[Path]:
        """Return the folders of the sessions there are."""
        return sorted(path.parent for path in self.folder.glob("mlruns/sessions/*/config.json"))

    def children(self) -> dict[str, psutil.Process]:
        """Return the session's processes by name."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            words = words_of(child)
            for name, module in MODULES.items():
                if module in words:
                    found[name] = child
        return found

    def cycles(self) -> int:
        """Return how many cycles have ended."""
        if not self.sessions():
            return 0
        return cycles_ended(of_market(self.sessions()[0], "BTCUSDT", DECISIONS))

    def wait_for_cycle(self, n: int, seconds: float = 120) -> None:
        """Wait until ``n`` cycles have ended."""
        deadline = time.monotonic() + seconds
        while self.cycles() < n:
            assert time.monotonic() < deadline, f"no cycle {n}; it said: {self.said()[-3000:]}"
            assert self.process is not None
            assert self.process.poll() is None, f"ended; it said: {self.said()[-3000:]}"
            time.sleep(0.05)

    def kill(self, target: str) -> None:
        """Kill one process, the session's own, or all of them at once."""
        assert self.process is not None
        children = self.children()
        self.killed.append(target)
        if target in children:
            children[target].kill()
        elif target in ("session", "all"):
            self.process.kill()
            for child in children.values() if target == "all" else ():
                child.kill()
            self.process.wait()
            psutil.wait_procs(list(children.values()), timeout=20)  # they notice, and end

    def kill_something(self, targets: tuple[str, ...] = TARGETS) -> None:
        """Kill something at a random moment; see that the session goes on from there."""
        self.wait_for_cycle(self.cycles() + 1)
        time.sleep(self.rng.uniform(*WITHIN_S))
        self.kill(self.rng.choice(targets))
        assert self.process is not None
        if self.process.poll() is not None:
            self.start()

    def stop(self, seconds: float = 30) -> None:
        """Press Ctrl-C, as its user would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(seconds) == 0, self.said()[-3000:]

    def end(self) -> None:
        """End what is left, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            for process in (self.process, *children):
                process.kill()
            self.process.wait()

    def said(self) -> str:
        """Return what was printed."""
        return (self.folder / "out.txt").read_text(encoding="utf-8", errors="replace")


def faults_of(session: Path, client: MlflowClient) -> list[str]:
    """Return what is wrong with a session's record and runs; nothing, it is hoped."""
    symbols = json.loads((session / "config.json").read_text())["symbols"].split(",")
    runs = runs_of(client, session.name)
    faults = [f"{run.info.run_name} is RUNNING" for run in runs if run.info.status == "RUNNING"]
    learners = 0
    for symbol in symbols:
        ours = runs
        if len(symbols) > 1:  # then the session's own run is that of no market
            of_it = [run for run in runs if run.data.tags.get("symbol") == symbol]
            ours = [run for run in of_it if run.info.run_id != session.name]
        found = _faults_of_market(session, symbol, client, ours)
        faults += [fault if symbols == [symbol] else f"{symbol}: {fault}" for fault in found]
        learners += len(json.loads(of_market(session, symbol, RUNS).read_text()))
    if len(runs) != learners + 1:
        faults.append(f"{len(runs)} runs for {learners} learners")
    return faults


def _faults_of_market(
    session: Path, symbol: str, client: MlflowClient, runs: list[Run]
) -> list[str]:
    """Return what is wrong with a market's record and runs."""
    entries = read_decisions(of_market(session, symbol, DECISIONS))
    ticks = read_rows(session, symbol, entries, "ticks")  # raises if a tick that was seen is gone
    faults = []
    gaps = np.flatnonzero(np.diff(ticks["id"]) != 1)
    if len(unmarked := gaps[ticks["flags"][gaps + 1] & AFTER_GAP == 0]):
        faults.append(f"{len(unmarked)} holes in the ticks that are no marked gap")
    names, outcomes, forecasts = read_ledger(session, symbol)
    if (np.diff(outcomes["bar"]) != 10**9).any():
        faults.append("bars missing in the ledger")
    if len(forecasts) != len(names) * len(outcomes):
        faults.append(f"{len(forecasts)} rows of {len(names)} learners at {len(outcomes)} bars")
    cycles = [entry["cycle"] for entry in entries if entry["do"] == "end"]
    if cycles != list(range(1, len(cycles) + 1)):
        faults.append(f"cycles {cycles}")
    for run in runs:
        for key in ("stream/ticks", "live/scored"):
            steps = [point.step for point in client.get_metric_history(run.info.run_id, key)]
            if steps and sorted(steps) != cycles:
                faults.append(f"{run.info.run_name} {key}: steps {steps}, cycles {cycles}")
    return faults


def run() -> list[Row]:
    """Kill, resume, look."""
    rng = random.Random(int(os.environ.get("BENCH_SEED", "0")))
    kills = int(os.environ.get("BENCH_KILLS", KILLS))
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as name:
        folder = Path(name)
        (port,) = free_ports(1)
        session = Session(folder, rng, speed=SPEED, page_port=port, segment_seconds=5)
        try:
            session.start()
            for _ in range(kills):
                session.kill_something()
            session.wait_for_cycle(session.cycles() + 2)
            session.stop()
        finally:
            session.end()
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        faults = faults_of(session.sessions()[0], client)
        code, (_, text) = replay_of(folder)
    if code:
        faults.append(text)
    counts = ", ".join(f"{session.killed.count(target)} {target}" for target in TARGETS)
    note = f"{counts}; replay: {text}" + (f"; FAULTS: {'; '.join(faults)}" if faults else "")
    what = f"things lost in {len(session.killed)} kill -9"
    return [Row(what, float(len(faults)), 1.0, "", "<=", 0, "nothing", note)]

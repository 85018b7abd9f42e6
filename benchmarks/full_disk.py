"""A disk that is full for a while: what was acknowledged stays, it is said, and all goes on after.

Each program runs in a small file system of its own (tmpfs, so this needs root). Sessions run until
their third cycle, then the disk is filled until somebody says so, then there is room again: they
have to go on by themselves, and their records are looked at as after ``kill -9``. The others run
with room for a part of what they write: they may end, with a line; with room again they have to
come to their end.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from mlflow.tracking import MlflowClient

from benchmarks.kills import Session, faults_of
from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import plain_environment
from benchmarks.system import replay_of
from benchmarks.table import Row
from tests.end_to_end.main_job import wait_for
from tests.streaming.tape.samples import csv, row
from trainers.session.addresses import free_ports

SIZE_MB = 192  # three markets take 60 before anything is learned
PATIENCE = 300.0  # s
SAID = "No space left on device"
TRACEBACK = "Traceback (most recent call last)"
ROOM = (0, 200, 2000, 6000)  # kB that are left to a program
RULE = {"who": "cnn"}
TRADES = 3000  # of a tape, two a second
MARKETS = {"session": "BTCUSDT", "session of three markets": "BTCUSDT,ETHUSDT,SOLUSDT"}


@contextlib.contextmanager
def small_disk(megabytes: int = SIZE_MB) -> Iterator[Path]:
    """Give a folder on a disk of its own.

    Raises:
        NotMeasuredError: if this user may not mount one.
    """
    with tempfile.TemporaryDirectory(prefix="tickloop-disk-") as name:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", name]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            raise NotMeasuredError(f"no disk can be mounted: {mounted.stderr.strip()}")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


@contextlib.contextmanager
def filled(disk: Path, left_kb: int = 0) -> Iterator[None]:
    """Fill a disk up to some kilobytes; programs may write to it meanwhile."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        for step in (2**20, 4096):
            with contextlib.suppress(OSError):
                while _free(disk) >= step + left_kb * 1024:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
    try:
        yield
    finally:
        ballast.unlink()


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def session_on(disk: Path, symbols: str) -> list[str]:
    """Run a session on a disk that is full for a while; return what was wrong."""
    (port,) = free_ports(1)
    session = Session(disk, random.Random(0), speed=10, symbols=symbols, page_port=port)
    try:
        session.start()
        session.wait_for_cycle(3, PATIENCE)
        faults = [] if _rule(port) < 400 else ["no alert can be made"]
        alerts = _rules(port)
        with filled(disk):
            wait_for(lambda: SAID in session.said(), f"the words {SAID!r}", PATIENCE)
            time.sleep(5)
            if _rule(port) < 400:
                faults.append("an alert was acknowledged that no disk has")
        before = session.cycles()
        session.wait_for_cycle(before + 3, PATIENCE)
        if _rules(port) != alerts:
            faults.append("the alerts are others")
        session.stop()
    finally:
        session.end()
    faults += [TRACEBACK] * (TRACEBACK in session.said())
    client = MlflowClient(f"sqlite:///{disk / 'mlflow.db'}")
    faults += faults_of(session.sessions()[0], client)
    code, (_, text) = replay_of(disk)
    return faults + ([text] if code else [])


def program_on(disk: Path, *words: str) -> list[str]:
    """Run a program with less and less too little room, then with enough; return what was wrong."""
    faults = []
    for left in ROOM:
        with filled(disk, left):
            code, said = _run(disk, *words)
        if TRACEBACK in said or (code and len(said.strip().splitlines()) == 0):
            faults.append(f"{left} kB: exit {code}, {said[-300:]}")
    code, said = _run(disk, *words)
    return faults + ([f"with room: exit {code}, {said[-300:]}"] if code else [])


def _run(disk: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=disk, env=plain_environment() | {"TMPDIR": str(disk)},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stderr


def _rule(port: int) -> int:
    """Ask the page for an alert; return the status of its answer."""
    address = f"http://127.0.0.1:{port}/live/alerts/rules"
    asked = Request(address, json.dumps(RULE).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(asked, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as e:
        return e.code


def _rules(port: int) -> set[str]:
    with urlopen(f"http://127.0.0.1:{port}/live/alerts", timeout=60) as answer:
        return {rule["id"] for rule in json.load(answer)["rules"]}


def run() -> list[Row]:
    """Fill disks under each program."""
    rows = []
    for name, symbols in MARKETS.items():
        with small_disk() as disk:
            rows.append(_row(name, session_on(disk, symbols)))
    with small_disk() as disk:
        tape = disk / "BTCUSDT-trades.csv"
        tape.write_text(csv(*(row(i) for i in range(TRADES))))
        source = ("--source", f"tape:{tape.name}")
        arena = ("--learners", "cnn,sklearn:naive_bayes.GaussianNB")
        ports = ("--page_port", "0", "--mlflow_ui_port", "0")
        rows.append(_row("backtest", program_on(disk, "trainers.research.backtest", *source)))
        done = max(disk.glob("mlruns/sessions/*/config.json"), key=lambda one: one.stat().st_mtime)
        programs = {
            "export": ("tickloop.export", "--session", done.parent.name),
            "tune": ("trainers.research.tune", *source, "--trials", "2"),
            "arena": ("trainers.research.arena", *source, *arena, *ports),
        }
        rows += [_row(name, program_on(disk, *words)) for name, words in programs.items()]
    return rows


def _row(name: str, faults: list[str]) -> Row:
    print(f"  {name}: {'; '.join(faults) or 'nothing'}", flush=True)
    what = f"full disk, {name}: things lost, or not said in a line"
    return Row(what, float(len(faults)), 1.0, "", "<=", 0, "nothing", "; ".join(faults))

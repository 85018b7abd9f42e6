"""The whole system, one symbol: memory after BENCH_MINUTES minutes (default 10), and its end.

Runs the real main job with page and MLflow UI in a folder of its own. BENCH_PAGE=0 leaves the
page out.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.measuring import NotMeasuredError, median
from benchmarks.processes import end, plain_environment, words_of
from benchmarks.table import Row
from trainers.recording.ledger import read_ledger
from trainers.scoring.ledger import MADE
from trainers.session.addresses import free_ports

LIMIT_GB = 8.0
FAR_UNDER = 0.5  # of the limit
END_SECONDS = 5.0
RESTART_SECONDS = 5.0
RESTARTS = 5
SAMPLE_SECONDS = 5.0


class Used(NamedTuple):
    """Memory of one process, GB."""

    name: str
    rss: float
    pss: float  # shared pages divided by those who share them


def run() -> list[Row]:
    """Run the main job, look at it, end it."""
    minutes = float(os.environ.get("BENCH_MINUTES", "10"))
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        out = Path(folder) / "out.txt"
        page, ui = free_ports(2)
        if os.environ.get("BENCH_PAGE") == "0":
            page = 0
        process = start_main_job(Path(folder), out, page_port=page, mlflow_ui_port=ui)
        try:
            memory, peak = _watch(process, minutes, out)
            back = _restarts(process, Path(folder))
            family = [psutil.Process(process.pid), *_children(process)]
            took, code = _stop(process)
        finally:
            end(process)
        left = _left(family)
        code_of_replay, replayed = replay_of(Path(folder))
        said = out.read_text(encoding="utf-8", errors="replace")
    cycles = sum(line.startswith("cycle") for line in said.splitlines())
    assert cycles, f"no cycle in {minutes:g} min; it said:\n{said[-3000:]}"
    assert code == 0, f"exit code {code} after SIGINT; it said:\n{said[-3000:]}"
    assert not left, f"processes left: {left}"
    parts = ", ".join(f"{used.name} {used.rss:.2f}" for used in memory)
    pss = sum(used.pss for used in memory)
    about = f"highest RSS sum in {minutes:g} min, {cycles} cycles"
    return [
        Row(
            "whole system: memory", peak, LIMIT_GB, "GB", "<=", FAR_UNDER, "the budget",
            f"{about}; at the end {parts}; PSS {pss:.2f}",
        ),
        Row(
            "whole system: its end", took, END_SECONDS, "s", "<=", 1, "after SIGINT",
            "exit code 0, no process left",
        ),
        Row(
            "whole system: trainer killed to its next forecast", median(back), RESTART_SECONDS, "s",
            "<=", 1, "the limit", f"median of {len(back)}, {', '.join(f'{s:.1f}' for s in back)} s",
        ),
        Row(
            "whole system: replay", float(replayed[0]), 1.0, "s of market a second", ">=", 96,
            "real time", replayed[1] if code_of_replay == 0 else f"failed: {replayed[1]}",
        ),
    ]  # fmt: skip


def _restarts(process: subprocess.Popen[bytes], folder: Path) -> list[float]:
    """Kill the trainer some times; return the seconds until its next forecast is in the ledger."""
    (config,) = folder.glob("mlruns/sessions/*/config.json")
    found = []
    for _ in range(RESTARTS):
        (trainer,) = (p for p in _children(process) if "trainers.session.trainer" in words_of(p))
        before, killed = _newest_forecast(config.parent), time.monotonic()
        trainer.kill()
        while _newest_forecast(config.parent) <= before:
            time.sleep(0.02)
            if time.monotonic() - killed > 60:
                raise NotMeasuredError("the trainer made no forecast within 60 s of a kill")
        found.append(time.monotonic() - killed)
        time.sleep(5)  # until it is at work again
    return found


def _newest_forecast(session: Path) -> int:
    """Return the newest bar that a forecast was made at in time, ns."""
    rows = read_ledger(session, "BTCUSDT").forecasts
    made = rows["bar"][rows["status"] == MADE]
    return int(made[-1]) if len(made) else -1


def replay_of(folder: Path) -> tuple[int, tuple[float, str]]:
    """Replay the last session of a project; return the exit code, the speed and the last line."""
    done = subprocess.run(
        [sys.executable, "-m", "trainers.replay", "--runs", "false"],
        cwd=folder, env=plain_environment(), capture_output=True, text=True,
    )  # fmt: skip
    speed = re.search(r"^replayed at ([\d.]+) times real time$", done.stderr, re.MULTILINE)
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    return done.returncode, (float(speed[1]) if speed else 0.0, last)


def start_main_job(
    folder: Path, out: Path, store: str = "", **settings: object
) -> subprocess.Popen[bytes]:
    """Start the main job as `make` does, in a folder of its own; its store may be elsewhere."""
    argv = ["-m", "trainers.session"]
    for name, value in settings.items():
        argv += [f"--{name}", str(value)]
    env = plain_environment() | ({"MLFLOW_TRACKING_URI": store} if store else {})
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *argv], cwd=folder, env=env, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip


def _watch(process: subprocess.Popen[bytes], minutes: float, out: Path) -> tuple[list[Used], float]:
    """Look on; return the memory at the end, and the highest RSS sum."""
    peak, memory = 0.0, []
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        time.sleep(min(SAMPLE_SECONDS, max(0.0, deadline - time.monotonic())))
        if process.poll() is not None:
            said = out.read_text(encoding="utf-8", errors="replace")
            raise NotMeasuredError(f"the main job ended by itself: {said[-300:].strip()}")
        memory = _memory([psutil.Process(process.pid), *_children(process)])
        peak = max(peak, sum(used.rss for used in memory))
    return memory, peak


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _memory(processes: Sequence[psutil.Process]) -> list[Used]:
    found = []
    for process in processes:
        try:
            info = process.memory_full_info()
            name = _name(words_of(process))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended
        found.append(Used(name, info.rss / 1e9, getattr(info, "pss", 0) / 1e9))
    return found


def _name(words: Sequence[str]) -> str:
    if "-m" in words:
        return words[words.index("-m") + 1]
    text = " ".join(words)
    return next((name for name in ("uvicorn", "huey", "spawn") if name in text), text[:20] or "?")


def _stop(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    """Press Ctrl-C; return the seconds until the end and the exit code."""
    started = time.perf_counter()
    process.send_signal(signal.SIGINT)
    code = process.wait(30)
    return time.perf_counter() - started, code


def _left(family: Sequence[psutil.Process]) -> list[str]:
    """Return what still runs of the job; these are ours, so they are ended."""
    left = []
    for process in family:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                left.append(f"{process.pid} {_name(words_of(process))}")
                process.kill()
        except psutil.NoSuchProcess:
            continue
    return left

"""The backtest of a made tape of 20 ticks a second: market time a CPU second, and its memory.

BENCH_HOURS (default 2) is the length of the tape; the work of the first minute, which is imports
and runs made in MLflow, is measured by itself and left out. All processes count: reading, training,
scoring, the record, MLflow. BENCH_LONG_HOURS (default 60, 0 for none; 168 is a week) is the length
of a second tape for memory alone: for 4 h it grows, as the learners' memories fill.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.market import START, ticks_of
from benchmarks.processes import plain_environment
from benchmarks.table import Row
from streaming.tape import write_segment
from streaming.ticks import NS_PER_S

PER_SECOND = 20
SEGMENT_ROWS = 50_000
WANTED = {30: 250.0, 300: 1000.0}  # by the seconds between two cycles
PART_SECONDS = 3600  # of the tape, made at once
POLL_SECONDS = 0.2


class Cost(NamedTuple):
    """CPU time of all processes, s, and the most memory that all had together, MB."""

    cpu: float
    memory: float


def run() -> list[Row]:
    """Measure."""
    hours = float(os.environ.get("BENCH_HOURS", "2"))
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        tape = Path(folder) / "tape"
        seconds = write_tape(tape, hours)
        start = cost_of(Path(folder), tape, 30, until=60)
        rows = _memory_of_long(Path(folder))
        for cycle_seconds, wanted in WANTED.items():
            half = cost_of(Path(folder), tape, cycle_seconds, until=seconds // 2)
            whole = cost_of(Path(folder), tape, cycle_seconds)
            speed = (seconds - 60) / (whole.cpu - start.cpu)
            what = f"backtest, a cycle every {cycle_seconds} s"
            rows += [
                Row(what, speed, wanted, "x real time", ">=", 1, "the aim", f"{hours:g} h of tape"),
                Row(f"{what}: memory", whole.memory, half.memory, "MB", "<=", 1.1,
                    "half of the tape"),
            ]  # fmt: skip
    return rows


def _memory_of_long(root: Path) -> list[Row]:
    """Measure whether memory is flat over a tape of days."""
    hours, tape = float(os.environ.get("BENCH_LONG_HOURS", "60")), root / "long"
    if not hours:
        return []
    seconds = write_tape(tape, hours)
    half, whole = (cost_of(root, tape, 300, until=until) for until in (seconds // 2, 0))
    what = f"backtest of {hours:g} h, a cycle every 300 s: memory"
    return [Row(what, whole.memory, half.memory, "MB", "<=", 1.05, "half of the tape")]


def write_tape(folder: Path, hours: float) -> int:
    """Write a tape; return its length, s."""
    written = 0
    for part in range(max(1, round(hours * 3600 / PART_SECONDS))):
        ticks = ticks_of(min(PART_SECONDS, round(hours * 3600)), PER_SECOND, part)
        ticks["ts_event"] += part * PART_SECONDS * NS_PER_S
        ticks["id"] = written + 1 + np.arange(len(ticks))
        for first in range(0, len(ticks), SEGMENT_ROWS):
            rows = ticks[first : first + SEGMENT_ROWS]
            write_segment(folder, "BTCUSDT", written, rows)
            written += len(rows)
    return written // PER_SECOND


def cost_of(root: Path, tape: Path, cycle_seconds: float, until: int = 0) -> Cost:
    """Run a backtest in the project at ``root``; return what it took."""
    words = [sys.executable, "-m", "trainers.research.backtest", "--source", f"tape:{tape}"]
    words += ["--cycle_seconds", str(cycle_seconds), "--workers", "1"]
    if until:
        stop = time.gmtime(START // NS_PER_S + until)
        words += ["--to", time.strftime("%Y-%m-%dT%H:%M:%S", stop)]
    before = os.times()
    process = subprocess.Popen(
        words, cwd=root, env=plain_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    most = 0.0
    while process.poll() is None:
        most = max(most, _memory(psutil.Process(process.pid)))
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with code {process.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user
    return Cost(cpu - before.children_system, most)


def _memory(process: psutil.Process) -> float:
    """Return the memory of a process and its children, MB; shared pages count once."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(one.memory_full_info().pss for one in family) / 2**20
    except psutil.Error:
        return 0.0

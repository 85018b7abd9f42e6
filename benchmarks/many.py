"""Many markets in one session, at speed 1: missed forecasts, latency, overruns, memory, the start.

Runs the real main job in a folder of its own: BENCH_MARKETS markets (default 100) of the built-in
exchange for BENCH_MINUTES minutes (default 10) after all of them have had a cycle. BENCH_PAGE=0
leaves page and MLflow UI out.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import end, words_of
from benchmarks.system import start_main_job
from benchmarks.table import Row
from trainers.recording.decision_log import cycles_ended, last_end
from trainers.recording.files import DECISIONS, MARKET_OUTBOX, of_market
from trainers.recording.ledger import read_ledger
from trainers.scoring.ledger import MADE, MISSED
from trainers.session.addresses import free_ports

MOST_MISSED = 0.001
P99_MS = 250.0
MOST_GB = 6.0
START_SECONDS = 90.0
PATIENCE_SECONDS = 900.0
SAMPLE_SECONDS = 5.0


class Cost(NamedTuple):
    """What the processes of one kind cost."""

    cores: float
    pss_gb: float


class Forecasts(NamedTuple):
    """The forecasts of all markets since a time.

    Attributes:
        count: how many there are, of the first learner.
        missed: the share that was not made in time.
        p99_ms: from a bar's last row to its rows in the ledger.
        cycles: the number of cycles that have ended.
        overruns: the number of those that took longer than the interval.
    """

    count: int
    missed: float
    p99_ms: float
    cycles: int
    overruns: int


def run() -> list[Row]:
    """Run the main job with many markets, look at it, end it."""
    n = int(os.environ.get("BENCH_MARKETS", "100"))
    minutes = float(os.environ.get("BENCH_MINUTES", "10"))
    markets = [f"M{i:03}USDT" for i in range(n)]
    page, ui = (0, 0) if os.environ.get("BENCH_PAGE") == "0" else free_ports(2)
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        out = Path(folder) / "out.txt"
        begun = time.monotonic()
        process = start_main_job(
            Path(folder), out, symbols=",".join(markets), page_port=page, mlflow_ui_port=ui,
            parity="false",
        )  # fmt: skip
        try:
            session = _wait_for_cycles(process, Path(folder), markets, out)
            started = time.monotonic() - begun
            since, load = time.time_ns(), os.getloadavg()[0]
            costs, peak = _watch(process, 60 * minutes)
            left = sum(of_market(session, name, MARKET_OUTBOX).stat().st_size for name in markets)
            found = forecasts_in(session, markets, since)
        finally:
            end(process, timeout=30)
    parts = ", ".join(f"{name} {cost.cores:.2f} cores {cost.pss_gb:.2f} GB"
                      for name, cost in costs.items())  # fmt: skip
    loads = f"load {load:.1f}, then {os.getloadavg()[0]:.1f}"
    about = f"{found.cycles} cycles in {minutes:g} min; {loads}"
    title = f"{n} markets"
    return [
        Row(f"{title}: missed forecasts", 100 * found.missed, 100 * MOST_MISSED, "%", "<=", 1,
            "the limit", about),
        Row(f"{title}: bar to ledger, p99", found.p99_ms, P99_MS, "ms", "<=", 1, "the limit", ""),
        Row(f"{title}: overruns", float(found.overruns), 1.0, "cycles", "<=", 0, "none", ""),
        Row(f"{title}: memory", peak, MOST_GB, "GB", "<=", 1, "the limit", f"PSS; {parts}"),
        Row(f"{title}: start to all first cycles", started, START_SECONDS, "s", "<=", 1,
            "the limit", f"at the end {left / 1e3:,.0f} kB waited for MLflow"),
    ]  # fmt: skip


def _wait_for_cycles(
    process: subprocess.Popen[bytes], folder: Path, markets: list[str], out: Path
) -> Path:
    """Wait until every market has had a cycle; return the session's folder."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for config in folder.glob("mlruns/sessions/*/config.json"):
            logs = [of_market(config.parent, name, DECISIONS) for name in markets]
            if all(cycles_ended(log) for log in logs):
                return config.parent
        time.sleep(0.5)
    said = out.read_text(encoding="utf-8", errors="replace")
    raise NotMeasuredError(f"not all markets had a cycle: {said[-300:].strip()}")


def _watch(process: subprocess.Popen[bytes], seconds: float) -> tuple[dict[str, Cost], float]:
    """Look on; return what each kind of process costs, and the highest sum of PSS, GB."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    before, began, peak = _cpu(family), time.monotonic(), 0.0
    pss: dict[str, float] = {}
    while (took := time.monotonic() - began) < seconds:
        time.sleep(min(SAMPLE_SECONDS, seconds - took))
        pss = {}
        for one in family:
            try:
                used = one.memory_full_info().pss / 1e9
            except psutil.Error:
                continue  # it has ended
            pss[_kind(one)] = pss.get(_kind(one), 0.0) + used
        peak = max(peak, sum(pss.values()))
    after = _cpu(family)
    took = time.monotonic() - began
    return {
        kind: Cost((after[kind] - before.get(kind, 0.0)) / took, pss.get(kind, 0.0))
        for kind in after
    }, peak


def _cpu(family: list[psutil.Process]) -> dict[str, float]:
    """Return the seconds of CPU that each kind of process has had."""
    found: dict[str, float] = {}
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        found[_kind(one)] = found.get(_kind(one), 0.0) + times.user + times.system
    return found


def _kind(process: psutil.Process) -> str:
    words = words_of(process)
    name = words[words.index("-m") + 1] if "-m" in words else "other"
    return name.removeprefix("trainers.session.") or name


def forecasts_in(session: Path, markets: list[str], since: int = 0) -> Forecasts:
    """Return what the ledgers and logs hold of the forecasts of bars from ``since``, ns, on."""
    statuses, latencies, cycles, overruns = [], [], 0, 0.0
    for name in markets:
        rows = read_ledger(session, name).forecasts
        rows = rows[(rows["bar"] >= since) & (rows["learner"] == 0)]
        statuses.append(rows["status"])
        latencies.append(rows["latency_us"][rows["status"] == MADE])
        log = of_market(session, name, DECISIONS)
        cycles += cycles_ended(log)
        if (last := last_end(log)) is not None:
            overruns += last["stream"]["stream/overruns"]
    status = np.concatenate(statuses)
    if not len(status):
        raise NotMeasuredError("no market had a forecast")
    p99 = float(np.percentile(np.concatenate(latencies), 99)) / 1e3
    return Forecasts(len(status), float((status == MISSED).mean()), p99, cycles, int(overruns))

"""A day of many markets from a tape, faults at the venue all along: misses, leaks, its replay.

Runs the real main job on a made tape of BENCH_MARKETS markets (default 100), a trade each two
seconds, for BENCH_HOURS hours of market time (default 24) in bars of BENCH_BAR_SECONDS (default
10), a cycle each ten minutes, as fast as no forecast is missed: the exchange waits for the trainers
(BENCH_SPEED, default 60, is only the most). Learners look back four hours, as by default. Each five
market minutes the venue has a fault. Memory is looked at from the half of the day on, when all that
is kept for a while is full. A day takes an hour or more, and its replay another; BENCH_REPLAY=0
leaves that out, BENCH_FOLDER keeps all.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import pandas as pd
import psutil

from benchmarks.many import forecasts_in
from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import end
from benchmarks.system import replay_of, start_main_job
from benchmarks.table import Row
from streaming.ticks import NS_PER_S
from trainers.recording.ledger import read_ledger
from trainers.session.addresses import free_ports

DAY = 1_704_067_200  # s; 2024-01-01
TRADES_A_SECOND = 0.5
SPAN = 40  # trades that lean to the same side
LEAN = 0.35  # sigma of a trade's move
CYCLE_SECONDS = 600
FAULT_SECONDS = 300
SAMPLE_SECONDS = 1800
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 300.0
BACK_SECONDS = 4 * 3600  # how far learners look back
MOST_MB_AN_HOUR = 1.0
FAULTS = (
    {"kind": "drop"},
    {"kind": "abort"},
    {"kind": "stall", "seconds": "0.5"},
    {"kind": "skip", "count": "3"},
    {"kind": "lose", "count": "2"},
    {"kind": "raw", "text": "not JSON"},
    {"kind": "refuse", "status": "429", "count": "2", "retry_after": "1"},
    {"kind": "refuse", "status": "503", "count": "2"},
)


class Sample(NamedTuple):
    """What the processes of the session use at a time.

    Attributes:
        hour: of the market.
        pss_mb: memory, shared pages divided by those who share them.
        own_mb: the part of it that no file has: it can only leak.
        descriptors: open files and sockets.
    """

    hour: float
    pss_mb: float
    own_mb: float
    descriptors: int


def run() -> list[Row]:
    """Play the day, look on, replay it."""
    markets = [f"M{i:03}USDT" for i in range(int(os.environ.get("BENCH_MARKETS", "100")))]
    hours = float(os.environ.get("BENCH_HOURS", "24"))
    with contextlib.ExitStack() as stack:
        kept = os.environ.get("BENCH_FOLDER")
        name = kept or stack.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-bench-"))
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        make_tape(folder / "day.parquet", markets, hours)
        return _measure(folder, markets, hours)


def make_tape(path: Path, markets: list[str], hours: float) -> None:
    """Write the trades of all markets: random walks that lean to a side for some 80 s."""
    rng = np.random.default_rng(5)
    n = int(hours * 3600 * TRADES_A_SECOND)
    parts = []
    for i, name in enumerate(markets):
        lean = np.repeat(rng.choice([-LEAN, LEAN], n // SPAN + 1), SPAN)[:n]
        walk = np.exp(np.cumsum(rng.normal(lean, 1.0)) * 1e-5)
        columns = {
            "time": DAY * 1000 + np.sort(rng.integers(0, int(hours * 3_600_000), n)),
            "symbol": name,
            "price": np.round(5000 * (1 + i % 13) * walk, 2),
            "size": np.round(rng.lognormal(-3, 1, n) + 0.001, 4),
            "side": np.where(rng.random(n) < 0.5, "buy", "sell"),
        }
        parts.append(pd.DataFrame(columns))
    rows = pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)
    rows.to_parquet(path, row_group_size=200_000)


def _measure(folder: Path, markets: list[str], hours: float) -> list[Row]:
    out = folder / "out.txt"
    bar_seconds = int(os.environ.get("BENCH_BAR_SECONDS", "10"))
    back = BACK_SECONDS // bar_seconds
    process = start_main_job(
        folder, out, source=f"tape:{folder / 'day.parquet'}", symbols=",".join(markets),
        speed=os.environ.get("BENCH_SPEED", "60"), cycle_seconds=CYCLE_SECONDS,
        bar_seconds=bar_seconds, history_bars=back, dqn_memory=back, parity="false",
        page_port=free_ports(1)[0], mlflow_ui_port=0,
    )  # fmt: skip
    begun, load = time.monotonic(), os.getloadavg()[0]
    try:
        samples, faults = _look_on(process, folder, markets[0], out)
    finally:
        end(process, timeout=60)
    took = time.monotonic() - begun
    (config,) = folder.glob("mlruns/sessions/*/config.json")
    found, title = forecasts_in(config.parent, markets), f"{len(markets)} markets, {hours:g} h"
    rows = [
        Row(f"{title}: missed forecasts", 100 * found.missed, 0.1, "%", "<=", 1, "the limit",
            f"of {found.count:,}; {faults} faults at the venue, {found.cycles:,} cycles, "
            f"{3600 * hours / took:.1f} x real time, p99 to the ledger {found.p99_ms:.0f} ms; "
            f"load {load:.1f}, then {os.getloadavg()[0]:.1f}"),
        *_leaks(title, [sample for sample in samples if sample.hour >= hours / 2]),
    ]  # fmt: skip
    if os.environ.get("BENCH_REPLAY") != "0":
        code, (speed, said) = replay_of(folder)
        rows.append(Row(f"{title}: replays that differ", float(code != 0), 1.0, "", "<=", 0, "none",
                        f"{said}; {speed:,.0f} x real time, all markets added"))  # fmt: skip
    return rows


def _leaks(title: str, samples: list[Sample]) -> list[Row]:
    """Return what an hour of market time adds."""
    hours, own = [sample.hour for sample in samples], [sample.own_mb for sample in samples]
    first, last = samples[0], samples[-1]
    return [
        Row(f"{title}: memory that no file has", float(np.polyfit(hours, own, 1)[0]),
            MOST_MB_AN_HOUR, "MB an hour", "<=", 1, "the limit",
            f"from {first.own_mb:,.0f} MB at hour {first.hour:.0f} to {last.own_mb:,.0f}; "
            f"all PSS {first.pss_mb:,.0f} to {last.pss_mb:,.0f}"),
        Row(f"{title}: descriptors", float(last.descriptors), float(first.descriptors), "", "<=",
            1.02, f"hour {first.hour:.0f}"),
    ]  # fmt: skip


def _look_on(
    process: subprocess.Popen[bytes], folder: Path, market: str, out: Path
) -> tuple[list[Sample], int]:
    """Look on until the tape is over, and give the venue faults; return samples and faults."""
    rng, samples, tried, faults = random.Random(0), [], 0, 0
    progress, at = time.monotonic(), 0
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        seconds = _market_seconds(folder, market)
        if seconds > at:
            progress, at = time.monotonic(), seconds
        elif time.monotonic() - progress > PATIENCE_SECONDS:
            said = out.read_text(encoding="utf-8", errors="replace")
            raise NotMeasuredError(f"no bar for {PATIENCE_SECONDS:g} s: {said[-300:].strip()}")
        while at >= (tried + 1) * FAULT_SECONDS:
            tried += 1
            faults += _fault(folder, rng.choice(FAULTS))
        if at >= (len(samples) + 1) * SAMPLE_SECONDS:
            samples.append(_sample(process, at / 3600))
            print(f"  {samples[-1]}, {faults} faults", flush=True)
    return samples, faults


def _market_seconds(folder: Path, market: str) -> int:
    """Return how far the market's newest forecast is into the day, s; 0 before the first."""
    for config in folder.glob("mlruns/sessions/*/config.json"):
        with contextlib.suppress(FileNotFoundError):  # it is about to be made
            rows = read_ledger(config.parent, market).forecasts
            if len(rows):
                return int(rows["bar"][-1]) // NS_PER_S - DAY
    return 0


def _fault(folder: Path, fault: dict[str, str]) -> int:
    """Give the venue a fault; return how many it took: none once it has ended."""
    (config,) = folder.glob("mlruns/sessions/*/config.json")
    rest = json.loads(config.read_bytes())["venue_rest"]
    try:
        urlopen(f"{rest}/sim/fault?{urlencode(fault)}", timeout=10).close()
    except OSError:
        return 0
    return 1


def _sample(process: subprocess.Popen[bytes], hour: float) -> Sample:
    pss = own = descriptors = 0
    for one in (me := psutil.Process(process.pid), *me.children(recursive=True)):
        try:
            text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
            descriptors += one.num_fds()
        except (OSError, psutil.Error):
            continue  # it has ended
        lines = {line.split(":")[0]: line.split() for line in text.splitlines()[1:]}
        pss += int(lines["Pss"][1])
        own += int(lines["Pss_Anon"][1])
    return Sample(hour, pss / 1e3, own / 1e3, descriptors)

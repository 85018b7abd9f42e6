"""The forecaster on real recorded tapes, test-then-train, against the peers on the same bars.

Tapes are looked for in ``../shared/tapes`` or where ``TICKLOOP_TAPES`` says; a tape that is not
there is not measured. Ours is the mean log-loss of five seeds, from scratch; the peers' is that of
the best of four (``benchmarks/peers/direction.py``), chosen after the fact, in their favour. Both
are scored on the bars that moved and that every method forecast.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.learning import PROCESSES, SEEDS, Floats, forecasts, losses
from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import ROOT, environment
from benchmarks.table import Row
from streaming.bars import Bars, bars_of
from streaming.tape import read_tape
from trainers.config import SessionConfig

PACKAGES = ["river==0.26.1", "lightgbm", "scikit-learn", "numpy"]
MOST_BARS = 8000


class Tape(NamedTuple):
    """One symbol of a recording."""

    name: str
    file: str
    symbol: str
    venue: str = ""


EQUITY, TRX = "us_equity_4sym_20131008.csv.gz", "binance_trx_3markets_20250304.csv.gz"
TAPES = (
    Tape("SPY", EQUITY, "SPY"),
    Tape("BAC", EQUITY, "BAC"),
    Tape("TRX spot", TRX, "TRXUSDT", "binance"),
    Tape("TRX COIN-M", TRX, "TRXUSD_PERP", "binance-coinm"),
    Tape("AIG", EQUITY, "AIG"),
    Tape("IBM", EQUITY, "IBM"),
)


def tapes_folder() -> Path:
    """Return where recordings are."""
    return Path(os.environ.get("TICKLOOP_TAPES", ROOT.parent / "shared" / "tapes"))


def bars_on(tape: Tape) -> Bars:
    """Return the bars of a tape, at most 8,000.

    Raises:
        NotMeasuredError: if the tape is not there.
    """
    path = tapes_folder() / tape.file
    if not path.exists():
        raise NotMeasuredError(f"there is no {tape.file}; TICKLOOP_TAPES says where tapes are")
    ticks = read_tape(path, tape.symbol, tape.venue)
    return bars_of(ticks[(ticks["price"] > 0) & (ticks["size"] > 0)])[:MOST_BARS]


def peers_on(bars: Bars, columns: Floats | None = None) -> dict[str, Floats]:
    """Return the peers' forecasts of each bar, by method.

    Args:
        bars: ``(T,)`` the bars.
        columns: ``(T, F)`` what the peers see, known when each bar closes; None: their own inputs.
    """
    python = environment("direction", PACKAGES)
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        source, target = Path(folder) / "bars.npy", Path(folder) / "said.npz"
        np.save(source, bars)
        files = [source, target]
        if columns is not None:
            files.append(Path(folder) / "columns.npy")
            np.save(files[-1], columns)
        script = ROOT / "benchmarks" / "peers" / "direction.py"
        subprocess.run([str(python), str(script), *map(str, files)], check=True,
                       capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        return dict(np.load(target))


def ours_on(tape: Tape, seed: int, features: str) -> Floats:
    """Return our forecasts of each bar."""
    return forecasts(bars_on(tape), SessionConfig(seed=seed, features=features))


def run() -> list[Row]:
    """Measure every tape that is there."""
    rows = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for tape in TAPES:
            try:
                bars = bars_on(tape)
            except NotMeasuredError as e:
                rows.append(_unmeasured(tape, e))
                continue
            jobs = {
                features: [pool.submit(ours_on, tape, seed, features) for seed in range(seeds)]
                for features, seeds in (("flow", SEEDS), ("classic", 1))
            }
            said = peers_on(bars)
            ours = {name: [job.result() for job in found] for name, found in jobs.items()}
            rows.append(_row(tape, bars, ours, said))
    return rows


def _row(tape: Tape, bars: Bars, ours: dict[str, list[Floats]], peers: dict[str, Floats]) -> Row:
    close = bars["close"]
    there = ~np.isnan(np.sum(list(peers.values()), axis=0))[:-1]
    there &= np.diff(close) != 0

    def loss(said: Floats) -> float:
        return float(losses(said, close)[there].mean())

    theirs = {name: loss(said) for name, said in peers.items()}
    best = min(theirs, key=lambda name: theirs[name])
    flow = [loss(said) for said in ours["flow"]]
    classic = np.mean([loss(said) for said in ours["classic"]])
    digest = hashlib.sha256((tapes_folder() / tape.file).read_bytes()).hexdigest()[:12]
    note = (
        f"seeds {min(flow):.4f} to {max(flow):.4f}; classic features {classic:.4f}; "
        f"{there.sum()} bars moved; tape sha256 {digest}"
    )
    return Row(f"{tape.name}, log-loss", float(np.mean(flow)), theirs[best], "nats", "<=", 1,
               best, note)  # fmt: skip


def _unmeasured(tape: Tape, error: NotMeasuredError) -> Row:
    return Row(f"{tape.name}, log-loss", None, None, "nats", "<=", 1, "", f"not measured: {error}")

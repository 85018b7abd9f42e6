"""A session that starts from other markets' tapes (``-e pretrain``), against one from nothing.

Of each tape all others are learned from but those of its day, so that nothing comes from its own
hours. Same bars, same seed, test-then-train; scored are the bars that moved.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.learning import PROCESSES, START, Floats, forecasts, losses
from benchmarks.measuring import NotMeasuredError
from benchmarks.own_columns import ALL, FEATURES, compared
from benchmarks.table import Row
from benchmarks.tapes import Tape, bars_on
from datamodules.target import CLOSE
from streaming.ticks import NS_PER_DAY
from trainers.config import SessionConfig
from trainers.config.pretraining.start import Start, save_start
from trainers.learners.cnn.pretraining import MarketWeights, in_common, weights_of

FIRST = 1200  # bars after the first cycle: 20 min
PEER = "the same from nothing"


def learned(tape: Tape) -> tuple[int, MarketWeights] | None:
    """Return the day of a tape and what is learned from it; None if it is not there."""
    try:
        bars = bars_on(tape)
    except NotMeasuredError:
        return None
    market = weights_of(bars, FEATURES, CLOSE, 1)
    return None if market is None else (int(bars["ts_open"][-1]) // NS_PER_DAY, market)


def measured(tape: Tape, others: list[MarketWeights]) -> Floats:
    """Return the log-losses of each bar, ``(2, n)``: from the others' tapes, from nothing."""
    bars = bars_on(tape)
    mean, spread = (tuple(numbers.tolist()) for numbers in in_common(others))
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        path = Path(folder) / "start.json"
        save_start(Start(FEATURES, CLOSE, 1, 1, mean, spread, ()), path)
        said = [
            forecasts(bars, SessionConfig.of(features=FEATURES, cnn_start=start))
            for start in (str(path), "")
        ]
    both: Floats = np.stack([losses(one, bars["close"])[START:] for one in said])
    return both


def run() -> list[Row]:
    """Measure every tape that is there, all pooled."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        there = {tape: found for tape, found in zip(ALL, pool.map(learned, ALL), strict=True)
                 if found is not None}  # fmt: skip
        jobs = [
            pool.submit(
                measured, tape, [market for other, market in there.values() if other != day]
            )
            for tape, (day, _) in there.items()
        ]
        found = [job.result() for job in jobs]
    if not found:
        raise NotMeasuredError("there are no tapes; TICKLOOP_TAPES says where tapes are")
    parts = {"all bars": found, "the first 20 min": [one[:, :FIRST] for one in found]}
    return [_row(name, np.concatenate(each, axis=1)) for name, each in parts.items()]


def _row(name: str, both: Floats) -> Row:
    moved = both[:, ~np.isnan(both).any(axis=0)]
    return compared(f"started from other markets, log-loss of {name}", moved, -2, PEER)

"""What best bid and ask are worth: feature set ``book`` against ``flow`` of the same learner.

Test-then-train from scratch on recorded tapes with quotes, looked for as in ``benchmarks.tapes``;
mean log-loss over five seeds of the next second's direction, of the mid and of the last trade. Only
bars that moved are scored, from the first cycle on. The peer is LightGBM on the inputs of ``book``,
grown anew each cycle on the whole past; both are scored on the bars that both forecast.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.forecasters import CYCLE
from benchmarks.learning import PROCESSES, SEEDS, START, Floats, forecasts, losses
from benchmarks.measuring import NotMeasuredError
from benchmarks.peers.boosting import boosted
from benchmarks.table import Row
from benchmarks.tapes import MOST_BARS, tapes_folder
from datamodules.features import WARMUP_BARS, features_of
from datamodules.labels import label_prices
from datamodules.target import CLOSE, MID
from streaming.bars import Bars, bars_of
from streaming.feed.market.conflation import Conflation
from streaming.tape import open_tape, parse_address
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig

CAPTURE = "wire/binance_spot_trade_bookticker_20240808.txt.gz"
GRACE_NS = NS_PER_S // 4
BOOK, FLOW, PEER = "book", "flow", "LightGBM"


class Tape(NamedTuple):
    """One symbol of a recording with quotes, and by how many nats ``book`` is to be better."""

    name: str
    file: str
    symbol: str
    mid: float = 0.0
    close: float = 0.0


TAPES = (
    Tape("BTC spot", CAPTURE, "BTCUSDT", 0.08, 0.03),
    Tape("ETH spot", CAPTURE, "ETHUSDT", 0.08, 0.03),
    Tape("CME ES", "cme_es_20231225.csv.gz", ""),
    Tape("NYSE stock", "nyse_taq_20180102.csv.gz", ""),
)


class Job(NamedTuple):
    """One learner from scratch on one tape."""

    tape: Tape
    label: str
    features: str
    seed: int


def bars_on(tape: Tape) -> Bars:
    """Return the bars of a tape, at most 8,000.

    Raises:
        NotMeasuredError: if the tape is not there.
    """
    path = tapes_folder() / tape.file
    if not path.exists():
        raise NotMeasuredError(f"there is no {tape.file}; TICKLOOP_TAPES says where tapes are")
    opened = open_tape(parse_address(str(path)))
    recording = opened.read(tape.symbol or opened.symbols[0])
    ticks = recording.ticks
    usable = (ticks["price"] > 0) & (ticks["size"] > 0)
    updates = recording.quotes.copy()
    updates["updates"] = 1
    updates["after"] = np.concatenate([[0], np.cumsum(usable)])[updates["after"]]
    quotes = Conflation().take(updates, int(updates["ts_event"].max()), tape.symbol, Counter())
    return bars_of(ticks[usable], quotes, grace_ns=GRACE_NS)[:MOST_BARS]


def measured(job: Job) -> Floats:
    """Return the log-loss of each bar from the first cycle on, NaN where the price did not move."""
    bars = bars_on(job.tape)
    if job.features == PEER:
        said = peers(bars, job.label)
    else:
        config = SessionConfig(seed=job.seed, features=job.features, label=job.label)
        said = forecasts(bars, config)
    return losses(said, label_prices(bars, job.label))[START:]


def peers(bars: Bars, label: str) -> Floats:
    """Return LightGBM's forecasts after each bar, ``(T,)``; NaN where it gives none."""
    made = features_of(bars, BOOK)
    x = np.concatenate([np.zeros((WARMUP_BARS, made.shape[1])), made])
    moved = np.append(np.diff(label_prices(bars, label)), 0.0)
    said: Floats = boosted(x, moved, first=WARMUP_BARS, start=START, step=CYCLE)
    return said


def run() -> list[Row]:
    """Measure every tape that is there."""
    rows = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for tape in TAPES:
            for label, wanted in ((MID, tape.mid), (CLOSE, tape.close)):
                try:
                    bars_on(tape)
                except NotMeasuredError as e:
                    rows.append(Row(_what(tape, label), None, None, "nats", "<=", 1, "", str(e)))
                    continue
                jobs = [Job(tape, label, name, i) for name in (BOOK, FLOW) for i in range(SEEDS)]
                found = [*pool.map(measured, [*jobs, Job(tape, label, PEER, 0)])]
                rows += _rows(tape, label, wanted, np.stack(found))
                print("\n".join(f"  {row}" for row in rows[-2:]), flush=True)
    return rows


def _what(tape: Tape, label: str) -> str:
    return f"{tape.name}, log-loss of the next {label}"


def _rows(tape: Tape, label: str, wanted: float, found: Floats) -> list[Row]:
    """Compare log-losses, ``(11, bars)``: ``book`` and ``flow`` of five seeds each, the peer."""
    means = np.nanmean(found, axis=1)
    book, flow = means[:SEEDS], means[SEEDS:-1]
    both = ~np.isnan(found).any(axis=0)
    ours, peer = float(found[:SEEDS, both].mean()), float(found[-1, both].mean())
    seeds = ", ".join(f"{one:.4f}" for one in book)
    moved = np.count_nonzero(~np.isnan(found[0]))
    return [
        Row(
            _what(tape, label), float(book.mean()), float(flow.mean()), "nats", "<=",
            1 - wanted / float(flow.mean()), "flow features of the same learner",
            f"book {seeds}; flow {flow.min():.4f} to {flow.max():.4f}; {moved} bars moved",
        ),
        Row(
            f"{_what(tape, label)}, book", ours, peer, "nats", "<=", 1,
            "LightGBM on the same inputs", f"{np.count_nonzero(both)} bars that both forecast",
        ),
    ]  # fmt: skip

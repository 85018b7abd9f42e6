"""The forecaster on recorded tapes against peers that see its own columns: no lead by inputs.

Test-then-train from scratch, one seed. The peer is the mean of two forecasts: river's online
logistic regression, and LightGBM grown anew every 30 bars on the whole past. Both sides are scored
on the bars that moved and that all forecast. A tape is as wanted if ours is not worse by two
standard errors; all bars pooled, if ours is better by two.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.learning import PROCESSES, Floats, losses
from benchmarks.measuring import NotMeasuredError
from benchmarks.table import Row
from benchmarks.tapes import TAPES, TRX, Tape, bars_on, ours_on, peers_on
from datamodules.features import WARMUP_BARS, features_of

BTC_ETH = "binance_spot_btc_eth_20240808.csv.gz"
STALL = "binance_btc_spot_usdm_20230404_stall.csv.gz"
ALL = (
    *TAPES,
    Tape("TRX USD-M", TRX, "TRXUSDT", "binance-usdm"),
    Tape("BTC spot, 2024", BTC_ETH, "BTCUSDT"),
    Tape("ETH spot, 2024", BTC_ETH, "ETHUSDT"),
    Tape("BTC spot, 2023", STALL, "BTCUSDT", "binance"),
    Tape("BTC USD-M, 2023", STALL, "BTCUSDT", "binance-usdm"),
    Tape("CME ES, 2023", "cme_es_20231225.csv.gz", "ESH4"),
    Tape("gold future, 2013", "comex_gc_20131008.csv.gz", "GC201312"),
    Tape("EURUSD, 2014", "fx_eurusd_20140508.csv.gz", "EURUSD"),
    Tape("NYSE stock, 2018", "nyse_taq_20180102.csv.gz", "XXX"),
)
FEATURES = "flow"
POOLED = "all tapes pooled"
PEER = "mean of river and LightGBM on our columns"


def measured(tape: Tape) -> Floats:
    """Return the log-losses of each scored bar, ``(2, n)``: ours, the peers'."""
    bars = bars_on(tape)
    made = features_of(bars, FEATURES)
    columns = np.concatenate([np.zeros((WARMUP_BARS, made.shape[1])), made])
    peers = np.mean(list(peers_on(bars, columns).values()), axis=0)
    both = np.stack([losses(said, bars["close"]) for said in (ours_on(tape, 0, FEATURES), peers)])
    scored: Floats = both[:, ~np.isnan(both).any(axis=0)]
    return scored


def run() -> list[Row]:
    """Measure every tape that is there."""
    rows, found = [], []
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [(tape, pool.submit(measured, tape)) for tape in ALL]
        for tape, job in jobs:
            try:
                found.append(job.result())
                rows.append(compared(_what(tape.name), found[-1], 2, PEER))
            except NotMeasuredError as e:
                rows.append(Row(_what(tape.name), None, None, "nats", "<=", 1, PEER, str(e)))
    if found:
        rows.append(compared(_what(POOLED), np.concatenate(found, axis=1), -2, PEER))
    return rows


def _what(name: str) -> str:
    return f"{name}, log-loss on our columns"


def compared(what: str, found: Floats, errors: float, peer: str) -> Row:
    """Return a row whose ratio may be above 1 by so many standard errors, or has to be below it.

    Args:
        what: what is compared.
        found: ``(2, n)`` the log-losses of each bar: ours, the peer's.
        errors: above 0 if ours may be worse by as many, below 0 if it has to be better.
        peer: what the other side is.
    """
    ours, peers = found.mean(axis=1)
    differences = found[0] - found[1]
    error = float(differences.std()) / math.sqrt(len(differences))
    note = f"difference {ours - peers:+.4f} ± {error:.4f}; {len(differences)} bars moved"
    return Row(what, float(ours), float(peers), "nats", "<=",
               1 + errors * error / float(peers), peer, note)  # fmt: skip

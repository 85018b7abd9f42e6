"""The forecaster on markets whose best possible forecast is known, scored test-then-train.

    hidden momentum   share of the Bayes rule's information gain, in the 2nd and the 5th hour
    regime switch     the same, 10 to 20 min after momentum has turned into reversal
    martingale        log-loss against ln 2, and against the exact bounce forecaster

Gain = ln 2 - log-loss, ours over the exact rule's on the same bars; from scratch, so that the
first hour is learning alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import one_thread
from benchmarks.table import Row
from streaming.bars import Bars
from tests.oracles.bayes import Predictable
from tests.oracles.bounce import up_after
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Momentum, Switch
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.learners.registry import learners_of
from trainers.scoring.direction.cases import log_losses

START = 200  # bars known at the first cycle
SEEDS = 5
NULL_SEEDS = 200
NULL_CYCLE = 60  # s: what is asked is whether it stays at chance, which fewer cycles tell as well
HOUR = 3600
MINUTE = 60
PROCESSES = 2

LN2 = math.log(2)
Floats = NDArray[np.float64]


def forecasts(bars: Bars, config: SessionConfig) -> Floats:
    """Return the CNN's forecasts after each bar, ``(T,)``; one half where it gives none."""
    one_thread()
    learner = learners_of(config)["cnn"]
    found = forecasts_of(learner, bars, config)
    return np.array([0.5 if one is None else one.probability for one in found])


def losses(probability: Floats, close: Floats) -> Floats:
    """Return the log-loss of each bar, NaN where the next close did not move, ``(T - 1,)``."""
    moved = np.diff(close)
    found = log_losses(probability[:-1], (moved > 0).astype(np.float64))
    return np.where(moved == 0, np.nan, found)


def gains(process: Predictable, seed: int, n: int) -> tuple[Floats, Floats]:
    """Return ours and the exact rule's information gain at each of ``n - 1`` bars, nats."""
    rng = np.random.default_rng(seed)
    path = process.draw(rng, n)
    bars = bars_of_path(rng, path.returns)
    ours = losses(forecasts(bars, SessionConfig(seed=seed)), bars["close"])
    exact = losses(np.append(path.up[1:], 0.5), bars["close"])
    return LN2 - ours, LN2 - exact


def share(found: list[tuple[Floats, Floats]], start: int, stop: int) -> float:
    """Return the mean over seeds of our gain over the exact rule's, in a stretch of bars."""
    return float(
        np.mean(
            [np.nansum(ours[start:stop]) / np.nansum(exact[start:stop]) for ours, exact in found]
        )
    )


def momentum_gains(seed: int) -> tuple[Floats, Floats]:
    """Five hours of hidden momentum."""
    return gains(Momentum(0.5, 0.05), seed, 5 * HOUR)


def switch_gains(seed: int) -> tuple[Floats, Floats]:
    """An hour of momentum, then an hour of reversal."""
    return gains(Switch(drift=1, flip=0.05, every=HOUR), seed, 2 * HOUR)


def martingale_losses(seed: int) -> tuple[float, float, float]:
    """An hour of a martingale: our log-loss without bounce; ours and the exact one with it."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=HOUR)
    config = SessionConfig(seed=seed, cycle_seconds=NULL_CYCLE)
    plain, bouncing = (bars_of_path(rng, returns, half_spread=c) for c in (0.0, 1.0))
    ours = [losses(forecasts(bars, config), bars["close"]) for bars in (plain, bouncing)]
    side = np.where(bouncing["close"] == bouncing["ask"], 1.0, -1.0)
    exact = losses(up_after(side, 1.0), bouncing["close"])
    found: Any = tuple(float(np.nanmean(one[200:])) for one in (*ours, exact))
    return found


def over_seeds(work: Callable[[int], Any], seeds: int) -> list[Any]:
    """Return ``work(seed)`` for each seed, on two processes."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(work, range(seeds)))


def run() -> list[Row]:
    """Measure all three markets."""
    return [*_momentum(), *_switch(), *_martingale()]


def _momentum() -> list[Row]:
    found = over_seeds(momentum_gains, SEEDS)
    peer = "the exact filter (m=.5, kappa=.05), 5 seeds from scratch"
    return [
        Row(f"hidden momentum, gain in hour {hour}", share(found, (hour - 1) * HOUR, hour * HOUR),
            1.0, "", ">=", wanted, peer)
        for hour, wanted in ((2, 0.7), (5, 0.85))
    ]  # fmt: skip


def _switch() -> list[Row]:
    found = over_seeds(switch_gains, SEEDS)
    peer = "the exact filter of the new regime (m=1, kappa=.05 turns to reversal), 5 seeds"
    return [
        Row(f"regime switch, gain {start} to {stop} min after it",
            share(found, HOUR + start * MINUTE, HOUR + stop * MINUTE), 1.0, "", ">=", 0.8, peer)
        for start, stop in ((10, 20), (20, 60))
    ]  # fmt: skip


def _martingale() -> list[Row]:
    found = np.array(over_seeds(martingale_losses, NULL_SEEDS))
    plain, bouncing, exact = found.T
    return [
        _null("martingale, log-loss", plain, np.full(NULL_SEEDS, LN2), "ln 2"),
        _null("martingale with bounce, log-loss", bouncing, exact, "the exact bounce forecaster"),
    ]


def _null(what: str, ours: Floats, limit: Floats, peer: str) -> Row:
    """A row whose ratio may be below 1 by chance alone: by two standard errors."""
    error = float((ours - limit).std() / math.sqrt(len(ours)))
    lowest = 1 - 2 * error / float(limit.mean())
    note = f"{len(ours)} seeds of 1 h; standard error of the difference {error:.1e}"
    return Row(what, float(ours.mean()), float(limit.mean()), "nats", ">=", lowest, peer, note)

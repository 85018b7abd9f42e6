"""How often a search claims to have found something where there is nothing, and where there is.

    martingale        nobody can forecast it: the report should say that nothing is better
    hidden momentum   settings that follow moves further are truly better than the default

BENCH_STUDIES (default 200) is the number of searches of a learner that costs next to nothing, and
BENCH_CNN_STUDIES (default 20) that of the CNN, on 40 minutes with a cycle every two. A search of 20
trials without correction would claim the best of them whenever its interval is above 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import one_thread
from benchmarks.table import Row
from streaming.bars import Bars
from tests.oracles.drawn_bars import TRADES, bars_of_path
from tests.oracles.processes import Martingale, Momentum
from trainers.config import SessionConfig
from trainers.config.learners import flat_name
from trainers.learners.registry import settings_of
from trainers.research.tuning.search.space import Setting, default_space
from trainers.research.tuning.search.study import Asked, Study
from trainers.research.tuning.search.trial import Played, play_trial
from trainers.scoring.search.judgement import DEFAULT, Judgement

BARS = 2400
CYCLE = 120  # s
TRIALS, BATCH = 20, 5
WRONG = 0.05
PROCESSES = 2
MARKET = "BTCUSDT"


class Follower:
    """Says that the mean move of the newest bars goes on."""

    name, kind = "follower", "forecaster"

    def __init__(self, window: int = 4, strength: float = 0.02) -> None:
        self.window, self.strength = window, strength

    def learn(self, snapshot: object) -> None:
        return None

    def forecast(self, bars: Bars) -> float:
        return float(self.forecast_each(bars, 1)[0])

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        signs = np.sign(np.diff(bars["close"], prepend=bars["close"][:1]))
        sums = np.concatenate([[0.0], np.cumsum(signs)])
        last = np.arange(len(bars) - n, len(bars)) + 1
        mean = (sums[last] - sums[np.maximum(last - self.window, 0)]) / self.window
        return np.clip(0.5 + self.strength * mean, 0.01, 0.99)


class Found(NamedTuple):
    """What a search has found, and whether its best seemed better without the correction."""

    judgement: Judgement
    seemed: bool


def search(process: str, learner: str, seed: int) -> Found:
    """Search on a market that is drawn with ``seed``."""
    one_thread()
    rng = np.random.default_rng([seed, 7])
    drawn = (Martingale() if process == "martingale" else Momentum()).draw(rng, BARS)
    bars = bars_of_path(rng, drawn.returns)
    bars["final_seq"] = TRADES * (1 + np.arange(BARS))
    config = SessionConfig(
        learners=learner, cycle_seconds=CYCLE, seed=seed, features="flow", symbols=MARKET
    )
    section, fields = settings_of(learner)
    known = {
        name: Setting(field.default, *(field.metadata[key] for key in ("low", "high", "choices")))
        for name, field in fields.items()
    }

    def play(batch: Mapping[int, Asked]) -> dict[int, Played | None]:
        found = {}
        for number, asked in batch.items():
            changed = {flat_name(section, name): one for name, one in asked.settings.items()}
            found[number] = play_trial(
                config.changed(**changed),
                {MARKET: bars},
                reference=asked.reference,
                baselines=number == DEFAULT,
            )
        return found

    default = {name: setting.value for name, setting in known.items()}
    study = Study(default_space(known), default, seed, batch=BATCH, prune=True)
    for _ in study.run(TRIALS, play):
        pass
    judgement = study.judgement()
    gain = judgement.default.gain if judgement.default else None
    return Found(judgement, bool(gain and gain.half_width and gain.value > gain.half_width))


def run() -> list[Row]:
    """Measure."""
    follower = "benchmarks.tune:Follower"
    studies = int(os.environ.get("BENCH_STUDIES", "200"))
    of_cnn = int(os.environ.get("BENCH_CNN_STUDIES", "20"))
    rows = []
    for learner, n in ((follower, studies), ("cnn", of_cnn)):
        if not n:
            continue
        found = _searches("martingale", learner, n)
        claims = [one.judgement.is_better for one in found]
        proven = [bool(one.judgement.default and one.judgement.default.proven) for one in found]
        seemed = np.mean([one.seemed for one in found])
        rows.append(
            Row(
                f"search of {learner.rpartition(':')[2]} on the martingale: claims to be better",
                float(np.mean(claims)), WRONG, "of all", "<=", 1, "the aim",
                f"{n} searches of {TRIALS} trials; better than the default alone"
                f" {np.mean(proven):.1%}, by the interval of the best alone {seemed:.0%}",
            )
        )  # fmt: skip
    if studies:
        found = _searches("momentum", follower, max(1, studies // 5))
        proven = [bool(one.judgement.default and one.judgement.default.proven) for one in found]
        rows.append(
            Row("search of Follower on hidden momentum: better than its default",
                float(np.mean(proven)), 0.9, "of all", ">=", 1, "the aim",
                f"{len(found)} searches")
        )  # fmt: skip
    return rows


def _searches(process: str, learner: str, n: int) -> list[Found]:
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(search, [process] * n, [learner] * n, range(n)))

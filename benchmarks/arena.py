"""The arena: what twenty entrants of a market cost, and how often a leaderboard is ever wrong.

Sessions are simulated by their scores alone. The chances of a rise are known, so the expected
difference of any pair's scores is too: a session is wrong if, after any bar, the interval of any
pair does not hold the mean of those so far.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.market import bars_for
from benchmarks.table import Row
from tests.trainers.arena_sessions import ever_wrong, followed, session
from trainers.config import SessionConfig
from trainers.engine.drivers.backtest import Backtest
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.learners.determinism import deterministic
from trainers.scoring.arena.board import ALPHA

KINDS = (
    "river:linear_model.LogisticRegression",
    "river:naive_bayes.GaussianNB",
    "river:tree.HoeffdingTreeClassifier",
    "sklearn:naive_bayes.GaussianNB",
    "sklearn:linear_model.SGDClassifier",
    "sklearn:linear_model.LogisticRegression",
    "sklearn:neural_network.MLPClassifier",
    "sklearn:ensemble.HistGradientBoostingClassifier",
    "lightgbm:LGBMClassifier",
    "xgboost:XGBClassifier",
)
ENTRANTS = [f"e{i}={KINDS[i % len(KINDS)]}" for i in range(20)]
WARM_UP, MEASURED = 900, 600  # bars; 20 cycles are measured, in which all that are refitted are
SESSIONS, BARS = 500, 1800


def run() -> list[Row]:
    """Return the rows of the table."""
    return [_cost(), _wrong()]


def _cost() -> Row:
    """Return how much of a core twenty entrants and the baselines take.

    Each bar is taken alone, as live. A backtest's driver then asks everybody twice, so this is more
    than a session takes for its forecasts.
    """
    config = SessionConfig.of(learners=",".join(ENTRANTS), source="sim")
    trainer = MarketTrainer(config, "BTCUSDT", make_roster(config, "BTCUSDT"))
    deterministic()
    driver, bars = Backtest(trainer, min_bars=WARM_UP - 30), bars_for(WARM_UP + MEASURED)
    started = 0.0
    for i in range(len(bars)):
        if i == WARM_UP:
            started = time.process_time()
        for _ in driver.take(bars[i : i + 1]):
            pass
    share = (time.process_time() - started) / (len(bars) - WARM_UP)
    return Row("arena: 20 entrants, a cycle each 30 s", share, 1.0, "cores", "<=", 1.0, "one core")


def _wrong() -> Row:
    """Return the share of sessions of which anything said at any bar is wrong."""
    rng, k = np.random.default_rng(0), len(ENTRANTS)
    share = ALPHA / (k * (k - 1))
    wrong = sum(ever_wrong(*followed(*session(rng, k, BARS)), share) for _ in range(SESSIONS))
    return Row(
        f"arena: sessions with a wrong claim, looked at each of {BARS:,} bars",
        wrong / SESSIONS, ALPHA, "share", "<=", 1.0, f"{ALPHA:.0%}, {SESSIONS} sessions",
    )  # fmt: skip

"""What a cycle's scoring costs after a day of bars, against what it costs after an hour.

trainer   the scorecard of two learners, their champions and eight baselines: scores, margins,
          bets, and the judges
page      the evidence tab: reads the new rows and scores them
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measuring import interleave, median
from benchmarks.table import Row
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.engine.runners.roster import make_roster
from trainers.engine.runners.scorecard import Scorecard
from trainers.recording.ledger import Ledger
from trainers.scoring.ledger import FORECAST, NO_ACTION, OUTCOME, Forecasts, Outcomes
from ui.evidence import ledger_scores
from ui.evidence.ledger_scores import LedgerScorer

HOUR, DAY = 3600, 86_400
CYCLE = 30  # bars
ROUNDS = 60
SYMBOL = "BTCUSDT"


def rows_of(bars: int, learners: int) -> tuple[Outcomes, Forecasts]:
    """Return a ledger of made-up rows, a bar a second."""
    rng = np.random.default_rng(0)
    outcomes = np.zeros(bars, OUTCOME)
    outcomes["bar"] = np.arange(bars) * NS_PER_S
    outcomes["close"] = 60_000 * np.exp(1e-4 * rng.integers(-2, 3, bars).cumsum())
    outcomes["mid"], outcomes["half_spread_bps"] = outcomes["close"], 0.1
    forecasts = np.zeros(bars * learners, FORECAST)
    forecasts["bar"] = np.repeat(outcomes["bar"], learners)
    forecasts["learner"] = np.tile(np.arange(learners), bars)
    forecasts["probability"] = np.clip(rng.normal(0.5, 0.1, len(forecasts)), 0, 1)
    forecasts["signal"] = rng.choice(3, len(forecasts), p=[0.8, 0.1, 0.1])
    forecasts["action"] = NO_ACTION
    return outcomes, forecasts


def cpu_seconds(work: Callable[[], None]) -> float:
    """Return how much of the CPU ``work`` takes, s: others may be at work as well."""
    started = time.process_time()
    work()
    return time.process_time() - started


def trainer_after(bars: int) -> Callable[[], float]:
    """Return what scores one cycle more after so many bars, and says how long it took, s."""
    config = SessionConfig.of(learners="cnn,dqn")
    roster = make_roster(config, SYMBOL)
    learners = [*roster.learners, *roster.champions]
    card = Scorecard(learners, roster.baselines, roster.tests, config.fee_bps, config.target)
    n = len(roster.everyone)
    outcomes, forecasts = rows_of(bars + (ROUNDS + 1) * CYCLE, n)
    agents = [i for i, runner in enumerate(roster.everyone) if runner.is_agent]
    forecasts["probability"][np.isin(forecasts["learner"], agents)] = np.nan
    for test in roster.tests:
        test.install(1, None, challenge=1, newest_bar=-1)
    card.restore(False, outcomes[:bars], forecasts[: bars * n])
    at = bars

    def cycle() -> float:
        nonlocal at
        stop = at + CYCLE

        def work() -> None:
            card.update(outcomes[at:stop], forecasts[at * n : stop * n])
            for test in roster.tests:
                test.judge()

        took, at = cpu_seconds(work), stop
        return took

    cycle()
    return cycle


def page_after(bars: int, folder: Path) -> Callable[[], float]:
    """Return the same of the page."""
    names = make_roster(SessionConfig.of(learners="cnn,dqn"), SYMBOL).names
    n, folder = len(names), folder / str(bars)
    folder.mkdir()
    outcomes, forecasts = rows_of(bars + (ROUNDS + 1) * CYCLE, n)
    ledger = Ledger(folder, SYMBOL, names)
    scorer = LedgerScorer(folder, SYMBOL, ["cnn", "dqn"], 0.5)
    at = cycles = 0

    def write(stop: int) -> None:
        nonlocal at
        for i in range(at, stop):
            ledger.write(outcomes[i : i + 1], forecasts[i * n : (i + 1) * n])
        at = stop

    def cycle() -> float:
        nonlocal cycles
        cycles += 1
        write(at + CYCLE)
        return cpu_seconds(lambda: scorer.update(cycles))

    write(bars)
    cycle()
    return cycle


def run() -> list[Row]:
    """Measure both sides in turn: the same market after a day and after an hour."""
    trainers = interleave(ROUNDS, trainer_after(DAY), trainer_after(HOUR))
    newest, ledger_scores.NEWEST_SECONDS = ledger_scores.NEWEST_SECONDS, 0.0
    try:
        with tempfile.TemporaryDirectory() as folder:
            pages = interleave(
                ROUNDS, page_after(DAY, Path(folder)), page_after(HOUR, Path(folder))
            )
    finally:
        ledger_scores.NEWEST_SECONDS = newest
    return [
        _row("a cycle's scoring after 24 h of bars", trainers, "12 runners with 2 champions"),
        _row("the page's scoring after 24 h of bars", pages, "evidence tab, 12 runners"),
    ]


def _row(what: str, sides: tuple[list[float], list[float]], note: str) -> Row:
    day, hour = (1000 * median(side) for side in sides)
    return Row(what, day, hour, "ms CPU", "<=", 1.1, "itself after 1 h", f"{note}, {ROUNDS} cycles")

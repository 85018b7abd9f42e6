"""A ledger filled by hand: learners that know a little about the next move, and baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.transitions import Action
from streaming.bars import Bars
from streaming.ticks import NS_PER_S
from trainers.learners.registry import BASELINES as REGISTERED
from trainers.recording.ledger import Ledger
from trainers.scoring.ledger import FORECAST, MADE, NO_ACTION, OUTCOME

AGENTS = {"dqn", "flat", "buy_and_hold", "random"}
BASELINES = tuple(REGISTERED)
EVERYBODY = ("cnn", "dqn", "cnn.champion", *BASELINES)
CYCLE_BARS = 30
CONFIDENCE = 0.65
CHAMPION_VERSION = 2
# In this cycle the CNN learned nothing, and the version before it serves on.
LAZY_CYCLE = 22


class LedgerWriter:
    """Writes the rows of each bar; forecasts are drawn around one half."""

    def __init__(self, folder: Path, symbol: str, names: Sequence[str]) -> None:
        self.names = list(names)
        self.ledger = Ledger(folder, symbol, self.names)
        self.rng = np.random.default_rng(3)
        self.bars = 0

    def write(self, bars: Bars) -> None:
        for bar in bars:
            self._write(bar)

    def _write(self, bar: np.void) -> None:
        outcome = np.zeros(1, OUTCOME)
        outcome["bar"], outcome["close"], outcome["gap"] = bar["ts_open"], bar["close"], bar["gap"]
        outcome["mid"], outcome["half_spread_bps"] = bar["close"], 0.05
        cycle = 1 + self.bars // CYCLE_BARS
        rows = np.zeros(len(self.names), FORECAST)
        rows["bar"], rows["gap"], rows["learner"] = bar["ts_open"], bar["gap"], range(len(rows))
        rows["status"], rows["probability"], rows["action"] = MADE, np.nan, NO_ACTION
        rows["version"] = cycle
        for row, name in zip(rows, self.names, strict=True):
            self._forecast(row, name, cycle)
        self.ledger.write(outcome, rows)
        self.bars += 1

    def _forecast(self, row: np.void, name: str, cycle: int) -> None:
        if name.endswith(".champion"):
            row["version"] = CHAMPION_VERSION
        if name.split(".")[0] in AGENTS:
            fixed = {"flat": Action.SELL, "buy_and_hold": Action.BUY}
            drawn = int(
                self.rng.choice([Action.HOLD, Action.BUY, Action.SELL], p=[0.9, 0.05, 0.05])
            )
            row["action"] = row["signal"] = fixed.get(name, drawn)
            return
        p = float(np.clip(0.5 + 0.09 * self.rng.normal(), 0.05, 0.95))
        if name == "majority":
            p = 0.503
        row["probability"] = p
        row["signal"] = (
            Action.BUY if p >= CONFIDENCE else Action.SELL if p <= 1 - CONFIDENCE else Action.HOLD
        )
        if name == "cnn" and cycle == LAZY_CYCLE:
            row["version"] = cycle - 1

    def close(self) -> None:
        self.ledger.close()


def second(bar: np.void) -> int:
    return int(bar["ts_open"]) // NS_PER_S

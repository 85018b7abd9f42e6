"""DQN transitions learned a second, against Stable-Baselines3 on the same transitions.

Counted are minibatch rows that went through a gradient step, over all the time it takes: ours
with the data module, the replay buffer, Lightning and the playing of an episode; SB3's with its
steps in the environment. That each of our rows teaches both positions and every action, and SB3's
only the action taken, is not counted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.market import bars_for
from benchmarks.measuring import interleave, median, one_thread, seconds
from benchmarks.processes import environment, worker
from benchmarks.table import Row
from datamodules.snapshot import Snapshot
from datamodules.transitions import make_transitions
from streaming.bars import Bars
from trainers.config import SessionConfig
from trainers.config.learners import DQNSettings
from trainers.learners.dqn.learner import DQN
from trainers.learners.learner import Context

BARS = 3600
STEP = 30  # bars from one cycle to the next
ROUNDS = 5
SB3_STEPS = 2000

OURS = ("pandas", "scikit-learn", "pytorch-lightning")  # that the trading environment imports

SETTINGS = DQNSettings()
CONTEXT = Context.of(SessionConfig())

SCRIPT = "benchmarks/peers/sb3_dqn.py"


class Cycles:
    """Our DQN, learning cycle after cycle as in a session."""

    def __init__(self, bars: Bars) -> None:
        self._bars, self._learner = bars, DQN(CONTEXT)
        self._cycle = 0
        self.rate()  # warm up

    def rate(self) -> float:
        """Run a cycle; return the transitions learned a second."""
        self._cycle += 1
        bars = self._bars[STEP * (self._cycle - 1) :][:BARS]
        snapshot = Snapshot("BTCUSDT", self._cycle, bars, 0)
        learned = SETTINGS.updates * SETTINGS.batch_size
        return learned / seconds(lambda: self._learner.learn(snapshot))


def run() -> list[Row]:
    """Measure both."""
    python = environment("sb3", ["torch==2.13.0", "stable-baselines3", *OURS])
    one_thread()
    bars = bars_for(BARS + STEP * (ROUNDS + 1))
    rows = []
    alike = f"net 2x64, batch {SETTINGS.batch_size}, one thread"
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        path = Path(folder) / "transitions.npz"
        np.savez(path, **make_transitions(bars[:BARS])._asdict())
        for train_freq in (4, 1):
            argv = [str(path), str(CONTEXT.fee_bps), str(SETTINGS.batch_size), str(SB3_STEPS)]
            cycles = Cycles(bars)
            with worker([SCRIPT, *argv, str(train_freq)], python) as peer:
                ours, theirs = interleave(ROUNDS, cycles.rate, peer.ask)
                version = peer.ready
            rows.append(
                Row(
                    "DQN: transitions learned", median(ours),
                    median(one["rate"] for one in theirs), "/s", ">=", 3,
                    f"Stable-Baselines3 {version}, train_freq={train_freq}"
                    f"{' (its default)' * (train_freq == 4)}: {alike}",
                    "ours also learns every action from both positions of each, not counted",
                )
            )  # fmt: skip
    return rows

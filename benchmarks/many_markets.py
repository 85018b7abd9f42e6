"""A session of many markets without its trainers, written as they would: rings, ledgers, runs.

    python -m benchmarks.many_markets FOLDER MARKETS [SECONDS]

Prints the session's run id once there is a history to look at, then goes on at the wall clock's
pace: twenty trades a second and market, a cycle of each market every 30 s.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from mlflow.entities import Metric, Param, RunTag

from streaming.ticks import NS_PER_S
from tests.ui.page_world import TICKS_A_SECOND, World
from trainers.names import Tag

CYCLES = 20  # logged before the first look
CYCLE_SECONDS = 30
HISTORY_SECONDS = 960
LEARNERS = ("cnn", "dqn")
THRESHOLD = 3.69


class ManyMarkets:
    """Writes the session."""

    def __init__(self, root: Path, markets: int) -> None:
        self.symbols = [f"M{i:02d}USDT" for i in range(markets)]
        self.world = World(root, symbols=",".join(self.symbols), learners=",".join(LEARNERS))
        self.rng = np.random.default_rng(11)
        self.skill = 0.004 * self.rng.normal(size=markets)
        self.runs = {
            (symbol, name): self.world.learner(name, symbol)
            for symbol in self.symbols
            for name in LEARNERS
        }
        self.cycles = dict.fromkeys(self.symbols, 0)

    def history(self) -> None:
        """Write the rings and the cycles before now."""
        for i, symbol in enumerate(self.symbols):
            self.world.stream(symbol, HISTORY_SECONDS, 5_000.0 * (1 + i % 13), ledger=LEARNERS)
            for name in LEARNERS:
                params = [Param("symbol", symbol), Param("seed", str(i)), Param("source", "sim")]
                self.world.client.log_batch(self.runs[symbol, name], params=params)
        with self.world.batched():
            for cycle in range(1, CYCLES + 1):
                for i, symbol in enumerate(self.symbols):
                    for name in LEARNERS:
                        run, scores = self.runs[symbol, name], self.scores(i, name, cycle)
                        self.world.log(run, cycle, **scores)
        for i, symbol in enumerate(self.symbols):
            self.cycles[symbol] = CYCLES
            self.world.tag(self.runs[symbol, "cnn"], **self.verdict(i, CYCLES))
        self.session(CYCLES)

    def scores(self, i: int, name: str, cycle: int) -> dict[str, float]:
        """Return what a learner logs in a cycle."""
        noise, bars = self.rng.normal(), 30 * cycle
        width = 0.2 / np.sqrt(bars)
        common = {
            "live__missed_rate": 0.0, "live__trades": 2.0 * cycle, "train__seconds": 0.2,
            "live__pnl_bps": -0.4 * cycle + 9e3 * self.skill[i] + noise,
            "live__pnl_bps_ci": 30.0 / np.sqrt(cycle), "live__drawdown": 12.0,
        }  # fmt: skip
        if name == "dqn":
            return {**common, "live__win_rate": 0.48, "live__edge_bps": -2.0 + noise}
        edge = self.skill[i] + 0.3 * width * noise
        return {
            **common, "live__scored": bars, "live__accuracy": 0.53 + edge, "live__edge": edge,
            "live__accuracy_ci": 2 * width, "live__edge_ci": width, "live__log_loss": 0.69,
            "promotion__log_e": self.log_e(i, cycle), "promotion__log_threshold": THRESHOLD,
        }  # fmt: skip

    def log_e(self, i: int, cycle: int) -> float:
        return float(60 * self.skill[i] * cycle)

    def verdict(self, i: int, cycle: int) -> dict[str, str]:
        """Return the tags of a forecaster's verdict."""
        log_e = self.log_e(i, cycle)
        told = {
            "decision": "promote" if log_e > THRESHOLD else "wait", "log_e": log_e,
            "log_threshold": THRESHOLD, "bars": 30 * cycle,
            "reason": "not proven better than logistic",
        }  # fmt: skip
        return {Tag.VERDICT: json.dumps(told), Tag.CHAMPION: ""}

    def session(self, cycle: int) -> None:
        """Log the session's own metrics."""
        proven = [s for i, s in enumerate(self.symbols) if self.log_e(i, cycle) > 5]
        self.world.log(
            self.world.run_id, cycle, stream__ticks=18_000, live__pnl_bps=-120.0,
            promotion__discoveries=len(proven), promotion__markets=len(self.symbols),
        )  # fmt: skip
        self.world.tag(self.world.run_id, discoveries=json.dumps(proven))

    def go_on(self, seconds: float) -> None:
        """Go on writing."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1 - time.time() % 1)
            second = int(time.time())
            for i, symbol in enumerate(self.symbols):
                stream = self.world.streams[symbol]
                if (due := (time.time_ns() - stream.at) * TICKS_A_SECOND // NS_PER_S) > 0:
                    stream.feed(int(due))
                if second % CYCLE_SECONDS == i * CYCLE_SECONDS // len(self.symbols):
                    self.cycle(i, symbol)

    def cycle(self, i: int, symbol: str) -> None:
        """Log a market's next cycle as the trackers do: a request a run."""
        self.cycles[symbol] = cycle = self.cycles[symbol] + 1
        now = int(time.time() * 1000)
        for name in LEARNERS:
            scores = self.scores(i, name, cycle)
            logged = [Metric(k.replace("__", "/"), v, now, cycle) for k, v in scores.items()]
            tags = self.verdict(i, cycle) if name == "cnn" else {}
            told = [RunTag(k, v) for k, v in tags.items()]
            self.world.client.log_batch(self.runs[symbol, name], metrics=logged, tags=told)
        if i == 0:
            self.session(cycle)


def main() -> None:
    """Write until the time is over."""
    folder, markets, *seconds = sys.argv[1:]
    session = ManyMarkets(Path(folder), int(markets))
    session.history()
    print(json.dumps(session.world.run_id), flush=True)
    session.go_on(float(seconds[0]) if seconds else 1e9)
    session.world.close()


if __name__ == "__main__":
    main()

"""Replays the markets of a record, one after the other: the same engine, the same decisions."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Protocol

from trainers.config import SessionConfig
from trainers.engine.commands import Checkpoint, Command, CycleDone, Happened, RunUpdate
from trainers.engine.drivers.recorded import Recorded
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.learners.learner import Model
from trainers.recording.record import MarketRecord, Record
from trainers.replay.comparison import MetricsCheck, compare_stages
from trainers.replay.progress import ProgressBar
from trainers.replay.runs import SESSION, ReplayRuns, run_name
from trainers.scoring.session import CycleSummary, session_scores


class Loads(Protocol):
    """Loads the models of registered versions."""

    def load(self, symbol: str, learner: str, version: int) -> Model | None:
        """Return a version's model; None for version 0."""


class Replayer:
    """One replay of a record.

    Args:
        record: the session's record.
        config: the session's settings, or changed ones for a what-if.
        check: compares the metrics.
        runs: MLflow runs for the metrics; None logs nothing.
        versions: loads the versions that were champion.
        what_if: whether the settings are changed, so that hashes are not compared.

    Attributes:
        cycles: the number of cycles replayed so far, in all markets.
    """

    def __init__(
        self,
        record: Record,
        config: SessionConfig,
        check: MetricsCheck,
        runs: ReplayRuns | None,
        versions: Loads,
        *,
        what_if: bool,
    ) -> None:
        self._record, self._config, self._check = record, config, check
        self._runs, self._versions, self._what_if = runs, versions, what_if
        self.cycles = 0
        total = sum(market.market_seconds for market in record.markets.values())
        self._progress = ProgressBar(total)
        self._done_before = 0.0  # market time of the markets that are done, s
        self._streams: dict[tuple[str, int], CycleDone] = {}
        self._added: dict[int, Collection[str]] = {}  # by cycle of the market that is replayed

    @property
    def speed(self) -> float:
        """The speed so far in market seconds per second, where markets' times add up."""
        return self._progress.speed

    def run(self) -> None:
        """Replay every market, then compute the session's metrics from all of them.

        Raises:
            ReplayDiffersError: at the first stage or metric that differs.
            RecordError: if the record lacks something or was changed.
        """
        for name, market in self._record.markets.items():
            roster = make_roster(self._config, name)
            trainer = MarketTrainer(self._config, name, roster)
            if self._runs is not None:
                for kind, runner in roster.by_kind():
                    if runner.name in market.runs:  # the session may not have logged baselines
                        self._runs.make(name, runner.name, kind, runner.learner.kind)
            self._replay(trainer, market)
            self._done_before += market.market_seconds
        self._sum_up()

    def _replay(self, trainer: MarketTrainer, market: MarketRecord) -> None:
        load = functools.partial(self._versions.load, market.market)
        recorded = Recorded(
            trainer, market.entries, market.stream(), market.ledger().forecasts, load
        )
        self._added = {e["cycle"]: e["stream"].keys() for e in market.entries if e["do"] == "end"}
        start = next((entry["now"] for entry in market.entries if entry["do"] == "cycle"), 0)
        for command in recorded.run():
            self._take(trainer, market, command, start)

    def _take(
        self, trainer: MarketTrainer, market: MarketRecord, command: Command, start: int
    ) -> None:
        match command:
            case CycleDone():
                if not self._what_if:
                    hashes = market.hashes[command.cycle]
                    compare_stages(market.market, command.cycle, hashes, command.hashes)
                # What a version before this one has not recorded is not in its sums either.
                added = {
                    name: value
                    for name, value in command.stream.items()
                    if name in self._added[command.cycle]
                }
                self._streams[market.market, command.cycle] = command._replace(stream=added)
                self.cycles += 1
                self._progress.show(self._done_before + (command.now - start) / 1e9)
            case RunUpdate() if command.learner in market.runs:
                run = run_name(market.market, command.learner)
                self._check.take(run, command.step, command.metrics)
                if self._runs is not None:
                    self._runs.log(
                        run, command.step, command.metrics, command.tags, command.wall_ms
                    )
            case Happened() if self._runs is not None:
                self._runs.event(
                    command.code, f"{market.market} {command.text}", trainer.newest_bar / 1e9
                )
            case Checkpoint():
                for runner in trainer.roster.everyone:
                    self._check.has_all(run_name(market.market, runner.name), trainer.cycle)

    def _sum_up(self) -> None:
        """Compute and compare the session's metrics, from the cycles that the session combined."""
        first = self._config.symbol_list[0]
        for step, taken in self._record.sums.items():
            done = [self._streams.get(pair) for pair in taken.items()]
            if not all(done) or (first, step) not in self._streams:
                continue  # a kill of the session cut one of these cycles short
            stands = {market: self._record.markets[market].stands for market in taken}
            ends = {
                market: CycleSummary(one.stream, one.standing if stands[market] else None)
                for market, one in zip(taken, done, strict=True)
                if one
            }
            metrics = session_scores(ends, self._config.symbol_list).metrics
            self._check.take(SESSION, step, metrics)
            if self._runs is not None:
                wall_ms = self._streams[first, step].wall_ms
                self._runs.log(SESSION, step, metrics, {}, wall_ms)

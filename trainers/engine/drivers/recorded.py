"""Drives a market's engine by its decision log: the same events again, in the same order. Pure.

    decision log, ticks, bars, ledger -> Recorded -> events -> MarketTrainer -> commands

A replay does all of it. A trainer that was started again does what its checkpoint lacks, and goes
on live where the log ends, which may be within a cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.engine.commands import Command, ForecastsMade
from trainers.engine.drivers.streams import Stream, ticks_digest
from trainers.engine.events import (
    BarsTaken,
    ChampionInstalled,
    ControlGiven,
    CycleBegun,
    CycleEnded,
    Event,
    ForecastsTimed,
    LearnerTurn,
)
from trainers.engine.market_trainer import MarketTrainer
from trainers.learners.learner import Model
from trainers.scoring.ledger import MISSED, Forecasts, rows_between

BETWEEN = ""  # where bars were taken: between two cycles, or after the turn of the learner named

Entry = Mapping[str, Any]

# What an engine is handed; other entries are for people.
DECISIONS = ("bars", "cycle", "end", "control", "champion")

# Of controls that other processes carry out: what came of them is in the log by itself.
CARRIED_OUT = ("promote", "rollback", "stop")


class Recorded:
    """One market's log.

    Args:
        trainer: of the market, as it was before the first entry.
        entries: of its decision log, oldest first.
        stream: its ticks and bars.
        forecasts: of its ledger: which were in time, and how long they took.
        models: gives a learner's registered version, by name and version.

    Attributes:
        begun: the cycle that the log ends in; None if it ends between two.
        turns_left: learners whose turn in it is still to come.
    """

    def __init__(
        self,
        trainer: MarketTrainer,
        entries: Iterable[Entry],
        stream: Stream,
        forecasts: Forecasts,
        models: Callable[[str, int], Model | None],
    ) -> None:
        self._trainer, self._stream = trainer, stream
        self._forecasts, self._models = forecasts, models
        self._left = deque(entry for entry in entries if entry["do"] in DECISIONS)
        self.begun: CycleBegun | None = None
        self.turns_left: list[str] = []

    def run(self) -> Iterator[Command]:
        """Do all that the entries say; yield what the engine answers."""
        while self._left:
            entry = self._left.popleft()
            match entry["do"]:
                case "bars":
                    yield from self._bars(entry)
                case "cycle":
                    yield from self._cycle(entry)
                case "control" if not entry["refused"] and entry["name"] not in CARRIED_OUT:
                    yield from self._trainer.handle(ControlGiven(entry["name"], entry["value"]))
                case "champion":
                    yield from self._champion(entry)

    def _bars(self, entry: Entry) -> Iterator[Command]:
        rows = self._stream.bars(self._trainer.next_bar, entry["to"]).rows
        yield from timed(self._trainer, BarsTaken(rows, entry["ask"]), self._times)

    def _times(self) -> ForecastsTimed:
        """Return what the ledger knows of the forecasts of the newest bar."""
        newest = self._trainer.newest_bar
        rows = rows_between(self._forecasts, newest - 1, newest)
        same = len(rows) == len(self._trainer.roster.everyone)
        latency: NDArray[np.int64] | int = rows["latency_us"] if same else 0
        return ForecastsTimed(bool((rows["status"] != MISSED).any()), latency)

    def _cycle(self, entry: Entry) -> Iterator[Command]:
        """Do a cycle, as far as the log has it."""
        trainer = self._trainer
        digest = ticks_digest(self._stream, trainer.cycles.last[0], entry["watermark"]["ticks"])
        fields = (name for name in CycleBegun._fields if name != "digest")
        self.begun = CycleBegun(**{name: entry[name] for name in fields}, digest=digest)
        yield from trainer.handle(self.begun)
        self.turns_left = list(trainer.roster.turns)
        while self.turns_left and self._left:
            name = self.turns_left.pop(0)
            yield from trainer.handle(LearnerTurn(name))
            while self._left and self._left[0]["do"] == "bars" and self._left[0]["after"] == name:
                yield from self._bars(self._left.popleft())
        if self._left:
            end, self.begun = self._left.popleft(), None
            yield from trainer.handle(CycleEnded(end["seconds"], end["overran"]))

    def _champion(self, entry: Entry) -> Iterator[Command]:
        learner, version = entry["learner"], entry["version"]
        model = self._models(learner, version)
        yield from self._trainer.handle(
            ChampionInstalled(learner, version, model, entry["challenge"])
        )


def timed(
    trainer: MarketTrainer, taken: Event, times: Callable[[], ForecastsTimed]
) -> Iterator[Command]:
    """Hand bars to a trainer and answer whether their forecasts were in time.

    Args:
        trainer: of the market.
        taken: the bars.
        times: asked once the forecasts are made.
    """
    for command in trainer.handle(taken):
        if isinstance(command, ForecastsMade):
            yield from trainer.handle(times())
        else:
            yield command

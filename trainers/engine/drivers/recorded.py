"""Drives a market's engine by its decision log: the same events again, in the same order. Pure.

    decision log, ticks, bars, ledger -> Recorded -> events -> MarketTrainer -> commands

A replay repeats the whole log. A restarted trainer repeats the part after its checkpoint and then
continues live where the log ends, which may be within a cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.engine.commands import CandidateWanted, Command, ForecastsMade, RollbackWanted
from trainers.engine.drivers.champions import OwnChampions
from trainers.engine.drivers.streams import Stream, digests
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

# An entry says after which learner's turn its bars were taken; this stands for "between cycles".
BETWEEN = ""

Entry = Mapping[str, Any]

# The entries that become events; the others are for people.
DECISIONS = ("bars", "cycle", "end", "control", "champion")

# Controls that are not repeated: their effects, if any, have entries of their own in the log.
CARRIED_OUT = ("promote", "rollback", "stop")


class Recorded:
    """A driver that repeats one market's decision log.

    Args:
        trainer: the market's engine, in its state before the first entry.
        entries: the entries of the decision log to repeat, oldest first.
        stream: the market's streams and bars.
        forecasts: the ledger's forecasts, which tell what was in time and how long it took.
        models: returns the model of a registered version, given a learner's name and the
            version's number.

    Attributes:
        begun: the cycle within which the log ends; None if it ends between two cycles.
        turns_left: names of the learners that have not had their turn in that cycle.
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
        self._champions = OwnChampions(trainer)
        self._left = deque(entry for entry in entries if entry["do"] in DECISIONS)
        self._makes_champions = any(entry.get("own", False) for entry in self._left)
        self.begun: CycleBegun | None = None
        self.turns_left: list[str] = []

    def run(self) -> Iterator[Command]:
        """Repeat all entries; yield the engine's commands."""
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
        if entry.get("each", False):
            yield from self._trainer.handle(BarsTaken(rows, each=True))
            return
        yield from timed(self._trainer, BarsTaken(rows, entry["ask"]), self._times)

    def _times(self) -> ForecastsTimed:
        """Return the timing that the ledger has of the forecasts on the newest bar."""
        newest = self._trainer.newest_bar
        rows = rows_between(self._forecasts, newest - 1, newest)
        same = len(rows) == len(self._trainer.roster.everyone)
        latency: NDArray[np.int64] | int = rows["latency_us"] if same else 0
        return ForecastsTimed(bool((rows["status"] != MISSED).any()), latency)

    def _cycle(self, entry: Entry) -> Iterator[Command]:
        """Repeat a cycle as far as the log goes."""
        trainer = self._trainer
        fields = {name: entry[name] for name in CycleBegun._fields if name != "digests"}
        found = digests(self._stream, trainer.cycles.seen, entry["oldest"], entry["watermark"])
        self.begun = CycleBegun(**fields, digests=found)
        yield from trainer.handle(self.begun)
        self.turns_left = list(trainer.roster.turns)
        while self.turns_left and self._left:
            name = self.turns_left.pop(0)
            yield from trainer.handle(LearnerTurn(name))
            while self._left and self._left[0]["do"] == "bars" and self._left[0]["after"] == name:
                yield from self._bars(self._left.popleft())
        if self._left:
            end, self.begun = self._left.popleft(), None
            for command in trainer.handle(CycleEnded(end["seconds"], end["overran"])):
                if self._makes_champions and isinstance(command, CandidateWanted | RollbackWanted):
                    self._champions.after(command)
                yield command

    def _champion(self, entry: Entry) -> Iterator[Command]:
        learner, version = entry["learner"], entry["version"]
        own = entry.get("own", False)
        model = (self._champions.model if own else self._models)(learner, version)
        yield from self._trainer.handle(
            ChampionInstalled(learner, version, model, entry["challenge"])
        )


def timed(
    trainer: MarketTrainer, taken: Event, times: Callable[[], ForecastsTimed]
) -> Iterator[Command]:
    """Hand bars to an engine and answer its question whether the forecasts were in time.

    Args:
        trainer: the market's engine.
        taken: the event with the bars.
        times: called once the forecasts are made; returns the answer.

    Yields:
        The engine's other commands.
    """
    for command in trainer.handle(taken):
        if isinstance(command, ForecastsMade):
            yield from trainer.handle(times())
        else:
            yield command

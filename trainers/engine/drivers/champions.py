"""Champions of a driver that has no registry: made where the evidence wants them, kept in memory.

A version is numbered by the cycle that has learned it. What a replay makes of the same decisions is
the same, so no model has to be kept with the record.
"""

from __future__ import annotations

import copy
from collections import Counter

from trainers.engine.commands import CandidateWanted, RollbackWanted
from trainers.engine.events import ChampionInstalled
from trainers.engine.market_trainer import MarketTrainer
from trainers.learners.learner import Model
from trainers.learners.own_code import LearnerError


class OwnChampions:
    """The versions that were champion in one market.

    Args:
        trainer: the market's engine, whose learners the versions are copies of.
    """

    def __init__(self, trainer: MarketTrainer) -> None:
        self._trainer = trainer
        self._models: dict[tuple[str, int], Model] = {}
        self._order: dict[str, list[int]] = {}  # the champions of each learner, oldest first
        self._challenges: Counter[tuple[str, int]] = Counter()

    def first(self) -> list[ChampionInstalled]:
        """Return the events with which a market begins: no learner has a champion."""
        return [self._installed(test.name, 0) for test in self._trainer.roster.tests]

    def after(self, wanted: CandidateWanted | RollbackWanted) -> ChampionInstalled | None:
        """Return the change of champion that is wanted; None if nothing changes."""
        order = self._order.setdefault(wanted.learner, [])
        if isinstance(wanted, RollbackWanted):
            if not order:
                return None
            order.pop()
        else:
            runner, _ = self._trainer.roster.learning(wanted.learner)
            try:
                exported = runner.exported()
            except LearnerError:
                exported = None  # it was told when the engine asked for the candidate
            if exported is None or (order and order[-1] == runner.version):
                return None
            self._models[wanted.learner, runner.version] = copy.deepcopy(exported[0])
            order.append(runner.version)
        return self._installed(wanted.learner, order[-1] if order else 0)

    def model(self, learner: str, version: int) -> Model | None:
        """Return a version's model; None for version 0."""
        return self._models.get((learner, version))

    def _installed(self, learner: str, version: int) -> ChampionInstalled:
        self._challenges[learner, version] += 1
        challenge = self._challenges[learner, version]
        return ChampionInstalled(learner, version, self.model(learner, version), challenge)

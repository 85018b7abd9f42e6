"""Everybody who forecasts in a market, in the order of the ledger's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trainers.config import SessionConfig, TrainingConfig
from trainers.engine.runners.champion_challenger import ChampionChallenger
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import Learner, Model, Versioned
from trainers.learners.registry import baselines_of, learners_of
from trainers.names import Kind

State = dict[str, Any]


class Roster:
    """The runners of a market.

    Args:
        config: what trading costs, and from where on a forecast is a signal.
        learners: those that the session is about.
        baselines: what they are compared with.

    Attributes:
        learners: a runner each.
        baselines: a runner each.
        tests: of learners against their champions.
        everyone: learners, champions, baselines.
        turns: names of those that learn in a cycle, in order.
    """

    def __init__(
        self, config: TrainingConfig, learners: Sequence[Learner], baselines: Sequence[Learner]
    ) -> None:
        confidence = config.confidence
        self.learners = [LearnerRunner(learner, confidence) for learner in learners]
        self.baselines = [LearnerRunner(baseline, confidence) for baseline in baselines]
        self.tests = [
            ChampionChallenger(runner, confidence, config.fee_bps)
            for runner in self.learners
            if isinstance(runner.learner, Versioned)
        ]
        self.champions = [test.champion for test in self.tests]
        self.everyone = [*self.learners, *self.champions, *self.baselines]
        self._learning = {runner.name: runner for runner in (*self.learners, *self.baselines)}
        self.turns = list(self._learning)

    @property
    def names(self) -> list[str]:
        """Everyone's name."""
        return [runner.name for runner in self.everyone]

    @property
    def versions(self) -> list[int]:
        """The version with which everyone forecasts."""
        return [runner.version for runner in self.everyone]

    def by_kind(self) -> Iterator[tuple[Kind, LearnerRunner]]:
        """Yield everyone with the kind of run that they have."""
        for kind, runners in (
            (Kind.LEARNER, self.learners),
            (Kind.CHAMPION, self.champions),
            (Kind.BASELINE, self.baselines),
        ):
            for runner in runners:
                yield kind, runner

    def learning(self, name: str) -> tuple[LearnerRunner, bool]:
        """Return who has a turn in a cycle, and whether people are told when it begins.

        A baseline has learned before anyone could read that it began.
        """
        runner = self._learning[name]
        return runner, runner in self.learners

    def states(self) -> dict[str, State | None]:
        """Return everyone's state by name, None of a learner that cannot be resumed."""
        return {runner.name: runner.learner_state() for runner in self.everyone}

    def saved(self, states: Mapping[str, State | None]) -> State:
        """Return what ``restore`` needs, ``states`` being everyone's."""
        return {
            "tests": {test.name: test.saved() for test in self.tests},
            "runners": {one.name: one.saved(states[one.name]) for one in self.everyone},
        }

    def restore(
        self, saved: Mapping[str, Any], models: Callable[[str, int], Model | None]
    ) -> list[str]:
        """Become the roster that was saved; return the names of those that cannot be resumed.

        Args:
            saved: as ``saved`` returned it.
            models: gives a learner's registered version, by name and version.
        """
        runners = saved["runners"]
        forgetful = [one.name for one in self.everyone if not one.restore(runners[one.name])]
        for test in self.tests:
            known = saved["tests"][test.name]
            test.restore(known, models(test.name, known["version"]))
        return forgetful


def make_roster(config: SessionConfig, market: str) -> Roster:
    """Make the learners of one market; a session without learners has no baselines either.

    Raises:
        ConfigError: if a learner cannot be made.
    """
    learners = learners_of(config, market)
    baselines = baselines_of(config, market) if learners else {}
    compared = [one for name, one in baselines.items() if name not in learners]
    return Roster(config, list(learners.values()), compared)

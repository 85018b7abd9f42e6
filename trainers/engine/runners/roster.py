"""The roster of a market: the runners of all learners, champions and baselines."""

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
        config: the cost of trading, and the probability from which a forecast is a signal.
        learners: the learners that the session trains.
        baselines: the learners that they are compared with.

    Attributes:
        learners: the learners' runners.
        baselines: the baselines' runners.
        tests: the champion-challenger tests, one for each learner that has model versions.
        champions: the champions' runners, one per test.
        everyone: all runners: learners, champions, baselines; the ledger's ``learner`` is an index
            into this list.
        turns: names of the learners and baselines, in the order in which a cycle trains them.
    """

    def __init__(
        self, config: TrainingConfig, learners: Sequence[Learner], baselines: Sequence[Learner]
    ) -> None:
        confidence = config.confidence
        self.learners = [LearnerRunner(learner, confidence) for learner in learners]
        self.baselines = [LearnerRunner(baseline, confidence) for baseline in baselines]
        self.tests = [
            ChampionChallenger(runner, confidence, config.fee_bps, config.target)
            for runner in self.learners
            if isinstance(runner.learner, Versioned)
        ]
        self.champions = [test.champion for test in self.tests]
        self.everyone = [*self.learners, *self.champions, *self.baselines]
        self._learning = {runner.name: runner for runner in (*self.learners, *self.baselines)}
        self.turns = list(self._learning)

    @property
    def names(self) -> list[str]:
        """The names of all runners, in the order of ``everyone``."""
        return [runner.name for runner in self.everyone]

    @property
    def versions(self) -> list[int]:
        """The versions with which the runners forecast, in the order of ``everyone``."""
        return [runner.version for runner in self.everyone]

    def by_kind(self) -> Iterator[tuple[Kind, LearnerRunner]]:
        """Yield each runner with the kind of its MLflow run, the first learner last.

        MLflow shows the newest runs first.
        """
        for kind, runners in (
            (Kind.BASELINE, self.baselines),
            (Kind.CHAMPION, self.champions),
            (Kind.LEARNER, self.learners),
        ):
            for runner in reversed(runners):
                yield kind, runner

    def learning(self, name: str) -> tuple[LearnerRunner, bool]:
        """Return the runner with a turn in a cycle, and whether to announce its training.

        A baseline's is not announced: it is over before anyone could read of it.
        """
        runner = self._learning[name]
        return runner, runner in self.learners

    def saved(self, states: Mapping[str, State | None]) -> State:
        """Return what ``restore`` needs, given the learners' states by name."""
        return {
            "tests": {test.name: test.saved() for test in self.tests},
            "runners": {one.name: one.saved(states[one.name]) for one in self.everyone},
        }

    def restore(
        self, saved: Mapping[str, Any], models: Callable[[str, int], Model | None]
    ) -> dict[str, str]:
        """Restore what ``saved`` returned; return why some learners are not resumed, by name.

        Args:
            saved: the result of ``saved``.
            models: returns the model of a registered version, given a learner's name and the
                version's number.
        """
        runners = saved["runners"]
        reasons = {one.name: one.restore(runners[one.name]) for one in self.everyone}
        for test in self.tests:
            known = saved["tests"][test.name]
            test.restore(known, models(test.name, known["version"]))
        return {name: why for name, why in reasons.items() if why}


def make_roster(config: SessionConfig, market: str) -> Roster:
    """Make the roster of one market; without learners there are no baselines either.

    A baseline is left out if the session names it as a learner.

    Raises:
        ConfigError: if a learner cannot be made.
    """
    learners = learners_of(config, market)
    baselines = baselines_of(config, market) if learners else {}
    compared = [one for name, one in baselines.items() if name not in learners]
    return Roster(config, list(learners.values()), compared)

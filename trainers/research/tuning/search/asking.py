"""Asks Optuna for settings in fixed batches, and tells it what came of them in order.

Optuna itself is not reproducible in parallel: what it asks next depends on which trial ended first.
Here a batch is asked together, from what was told before it, and told in order of number once all
of it is done. So the number of workers changes nothing, and a search that was killed is taken up by
asking and telling the same again. Source of the sampler: J. Bergstra et al., Algorithms for
hyper-parameter optimization (2011), in Optuna.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from trainers.research.tuning.search.space import Range, Space

Settings = dict[str, Any]


class Search:
    """A search for the settings with the highest value.

    Args:
        space: the values that are searched.
        seed: the sampler's seed.

    Attributes:
        study: Optuna's, for its plots.
    """

    def __init__(self, space: Space, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._distributions = {name: _distribution(values) for name, values in space.items()}
        sampler = optuna.samplers.TPESampler(seed=seed)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[optuna.Trial] = []

    def ask(self, n: int) -> list[Settings]:
        """Return the settings of the next ``n`` trials, to be told in this order."""
        asked = [self.study.ask(self._distributions) for _ in range(n)]
        self._asked += asked
        return [dict(trial.params) for trial in asked]

    def tell_default(self, settings: Settings) -> None:
        """Tell of the settings as they are, whose value is 0; they may lie outside of the space."""
        if all(_within(settings[name], values) for name, values in self._space.items()):
            self.study.add_trial(
                optuna.trial.create_trial(
                    params={name: settings[name] for name in self._space},
                    distributions=self._distributions,
                    value=0.0,
                )
            )

    def tell(self, value: float | None, *, whole: bool = True) -> None:
        """Tell what came of the oldest trial that has been asked for and not been told of.

        Args:
            value: what it is worth, the higher the better; None if it said nothing.
            whole: whether it was played to the end.
        """
        trial = self._asked.pop(0)
        if value is None:
            self.study.tell(trial, state=TrialState.FAIL)
        elif whole:
            self.study.tell(trial, value)
        else:
            trial.report(value, 1)
            self.study.tell(trial, state=TrialState.PRUNED)


def _within(value: Any, values: Range) -> bool:
    return value in values.choices if values.choices else values.low <= value <= values.high


def _distribution(values: Range) -> BaseDistribution:
    if values.choices:
        return CategoricalDistribution(values.choices)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)

"""What a search has found: the best trial, and whether it is better than what there was. Pure.

    scores of all trials at each bar -> Judgement

What there was is the default settings and the baselines. A trial that beats the default, but not
what comes for free, is no find: on a market that nobody can forecast, settings that learn less are
truly better than those that learn noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.interval import Estimate
from trainers.scoring.search.bar_scores import gains_of, mean_gain
from trainers.scoring.search.deflation import Sharpe, benchmark, sharpe_of
from trainers.scoring.search.overfitting import probability_of_overfitting

Floats = NDArray[np.float64]

DEFAULT = 0  # number of the trial that has the settings as they were
PROVEN = 0.95  # the chance of being truly better, luck taken off, from which a trial is a find
# A trial or baseline that says something of fewer of the default's bars may be good by luck.
ENOUGH = 0.5


class Trial(NamedTuple):
    """A trial that was played.

    Attributes:
        number: from 0; that of the default settings is 0.
        scores: ``(T,)`` of the bars of all markets in order of time, NaN where they say nothing;
            the higher, the better.
        whole: whether it was played to the end.
    """

    number: int
    scores: Floats
    whole: bool = True


class Against(NamedTuple):
    """The best trial against one rival.

    Attributes:
        rival: its name.
        gain: how much better the trial is, a bar.
        bars: the number of bars that say something of both.
        luck: the gain expected of the best of as many trials that are all no better, a bar.
        chance: the probability that it is truly better, luck taken off: the deflated Sharpe ratio.
    """

    rival: str
    gain: Estimate
    bars: int
    luck: float
    chance: float

    @property
    def left(self) -> float:
        """The gain less what luck explains."""
        return self.gain.value - self.luck

    @property
    def proven(self) -> bool:
        """Whether the gain is beyond luck."""
        return self.chance > PROVEN


class Judgement(NamedTuple):
    """What a search has found.

    Attributes:
        best: number of the best trial; 0 if no trial is ahead of the default.
        tried: the number of trials beside the default.
        default: against the default; None if that is the best.
        baseline: against the best baseline; None if there is none, or the default is the best.
        overfit: the probability of backtest overfitting; None if too little was played.
    """

    best: int
    tried: int
    default: Against | None
    baseline: Against | None
    overfit: float | None

    @property
    def is_better(self) -> bool:
        """Whether the best trial is better than what there was."""
        beside = self.baseline is None or self.baseline.proven
        return self.default is not None and self.default.proven and beside


def judge(trials: Sequence[Trial], baselines: Mapping[str, Floats]) -> Judgement:
    """Judge a search.

    Args:
        trials: those that were played, the default first.
        baselines: the scores of the baselines, by name, as ``Trial.scores``.
    """
    default, *others = trials
    whole = [trial for trial in trials if trial.whole]
    gains = [mean_gain(trial.scores, default.scores) for trial in whole]
    best = whole[int(np.argmax([-np.inf if gain is None else gain.value for gain in gains]))]
    against = beside = None
    if best.number != DEFAULT:
        against = _against("default", default.scores, best, others)
        free = _best_baseline(best, baselines)
        beside = None if free is None else _against(free, baselines[free], best, others)
    scores = np.array([trial.scores for trial in whole])
    told = ~np.isnan(scores).any(axis=0)
    overfit = probability_of_overfitting(scores[:, told].T)
    return Judgement(best.number, len(others), against, beside, overfit)


def says_enough(scores: Floats, default: Floats) -> bool:
    """Return whether scores are there for enough of the bars that say something of the default."""
    told = ~np.isnan(default)
    return bool((~np.isnan(scores[told])).sum() >= max(1.0, ENOUGH * told.sum()))


def _best_baseline(best: Trial, baselines: Mapping[str, Floats]) -> str | None:
    """Return the baseline against which the trial gains least."""
    gains = {
        name: mean_gain(best.scores, scores)
        for name, scores in baselines.items()
        if says_enough(scores, best.scores)
    }
    values = {name: gain.value for name, gain in gains.items() if gain is not None}
    return min(values, key=lambda name: values[name], default=None)


def _against(rival: str, scores: Floats, best: Trial, others: Sequence[Trial]) -> Against | None:
    gain, gains = mean_gain(best.scores, scores), gains_of(best.scores, scores)
    if gain is None:
        return None
    if (found := sharpe_of(gains)) is None:
        return Against(rival, gain, len(gains), 0.0, 0.0)
    ratios = [sharpe_of(gains_of(trial.scores, scores)) for trial in others]
    lucky = benchmark(len(others), _variance([one for one in ratios if one], found))
    luck = lucky * float(gains.std())
    return Against(rival, gain, len(gains), luck, found.chance_above(lucky))


def _variance(ratios: Sequence[Sharpe], best: Sharpe) -> float:
    """Return the variance of the trials' Sharpe ratios that is due to luck.

    It is that between the trials, as in the paper, but no more than what chance gives to trials
    that have nothing in common: settings that are plainly bad do not make luck more likely.
    """
    chance = best.error**2
    if len(ratios) < 2:
        return chance
    return min(float(np.var([one.ratio for one in ratios], ddof=1)), chance)

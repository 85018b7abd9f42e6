"""A search from its first batch to its last: asks, has the trials played, tells, judges.

    Search.ask -> a batch of trials -> play -> Search.tell, in order of number

How the trials of a batch are played, and in which order they end, is no part of it: the result
follows from the settings and the bars alone. The value of a trial is its mean gain a bar over the
settings as they were, paired bar by bar.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.research.tuning.search.asking import Search
from trainers.research.tuning.search.space import Space
from trainers.research.tuning.search.trial import Played
from trainers.scoring.interval import Estimate
from trainers.scoring.search.bar_scores import mean_gain
from trainers.scoring.search.judgement import DEFAULT, Judgement, Trial, judge, says_enough

Floats = NDArray[np.float64]
Settings = dict[str, Any]


class Asked(NamedTuple):
    """A trial to be played.

    Attributes:
        settings: those that are searched, by name.
        reference: the scores of the best trial so far; None if none may be given up.
    """

    settings: Settings
    reference: Floats | None


class Tried(NamedTuple):
    """A trial that is over.

    Attributes:
        number: from 0; that of the settings as they were is 0.
        settings: those that are searched, by name.
        played: what it came to.
        gain: how much better than the settings as they were, a bar; None if it said too little.
        same_as: number of an earlier trial with the same settings, which was not played again.
    """

    number: int
    settings: Settings
    played: Played
    gain: Estimate | None
    same_as: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it was played to the end."""
        return self.played.share >= 1


# Plays trials, by number; None where it was stopped.
Play = Callable[[Mapping[int, Asked]], Mapping[int, Played] | None]


class Study:
    """A search.

    Args:
        space: the values that are searched.
        default: the settings as they are, by name.
        seed: the sampler's seed.
        batch: trials asked for together.
        prune: whether trials may be given up.

    Attributes:
        tried: the trials that are over, in order of number.
    """

    def __init__(
        self, space: Space, default: Settings, seed: int, *, batch: int, prune: bool
    ) -> None:
        self.search = Search(space, seed)
        self._default = {name: default[name] for name in space}
        self._batch, self._prune = batch, prune
        self.tried: list[Tried] = []
        self._known: dict[str, int] = {}  # numbers of trials, by their settings

    def run(self, trials: int, play: Play) -> Iterator[list[Tried]]:
        """Search; yield the trials of each batch.

        Args:
            trials: how many, the one of the settings as they are among them.
            play: plays trials; the search is over if it is stopped.
        """
        while len(self.tried) < trials:
            batch = self._ask(min(self._batch, trials - len(self.tried)))
            reference = self._best.scores if self._prune and self.tried else None
            new: dict[str, int] = {}
            for number, settings in batch.items():
                new.setdefault(_key(settings), number)
            played = play({
                number: Asked(batch[number], reference)
                for key, number in new.items() if key not in self._known
            })  # fmt: skip
            if played is None:
                return
            yield [self._tell(number, batch[number], played) for number in sorted(batch)]

    @property
    def is_empty(self) -> bool:
        """Whether the settings as they are say nothing of any bar, so that nothing compares."""
        return not self.tried or bool(np.isnan(self.tried[DEFAULT].played.scores).all())

    def judgement(self) -> Judgement:
        """Judge the trials that are over; those of the same settings count once."""
        trials = [
            Trial(one.number, one.played.scores, one.is_whole)
            for one in self.tried
            if one.same_as is None and one.gain is not None
        ]
        return judge(trials, self.tried[DEFAULT].played.baselines)

    @property
    def _best(self) -> Played:
        whole = [one for one in self.tried if one.is_whole and one.gain is not None]
        return max(whole or self.tried[:1], key=_gain).played

    def _ask(self, n: int) -> dict[int, Settings]:
        first = len(self.tried)
        asked = [self._default] if first == DEFAULT else []
        asked += self.search.ask(n - len(asked))
        return {first + i: settings for i, settings in enumerate(asked)}

    def _tell(self, number: int, settings: Settings, played: Mapping[int, Played]) -> Tried:
        earlier = self._known.setdefault(_key(settings), number)
        found = self.tried[earlier].played if earlier < number else played[number]
        default = self.tried[DEFAULT].played.scores if self.tried else found.scores
        gain = mean_gain(found.scores, default)
        if found.share >= 1 and not says_enough(found.scores, default):
            gain = None
        one = Tried(number, settings, found, gain, earlier if earlier < number else None)
        self.tried.append(one)
        if number == DEFAULT:
            self.search.tell_default(settings)
        else:
            self.search.tell(None if gain is None else gain.value, whole=one.is_whole)
        return one


def _gain(one: Tried) -> float:
    return -np.inf if one.gain is None else one.gain.value


def _key(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)

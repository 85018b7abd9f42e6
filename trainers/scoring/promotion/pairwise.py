"""Compares learners at the bars at which both were scored, in both directions. Pure.

Bars are taken part by part, as they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from datamodules.target import NEXT_BAR, Target
from trainers.scoring.direction.edge import ENOUGH
from trainers.scoring.promotion.differences import Compare
from trainers.scoring.promotion.lagged import Lagged
from trainers.scoring.scored import Scored

CHAMPION = "champion"

FEWEST_BARS = 60  # bars before an estimate of the bars left; with fewer it would be chance
LONGEST_PACE = 86_400  # bars, a day of seconds: a longer estimate is given as None


class Pairwise:
    """The comparison of one learner, ours, with one other, part by part of the bars.

    Args:
        against: name of the other.
        compare: what compares them.
        target: what both forecast; of agents, the next bar.

    Attributes:
        won: the evidence that ours is better.
        lost: the evidence that the other is better.
        unit: the unit of ``lead``.
    """

    def __init__(self, against: str, compare: Compare, target: Target = NEXT_BAR) -> None:
        self.against, self.unit = against, ""
        self.won, self.lost = Lagged(target), Lagged(target)
        self._compare, self._gain = compare, 0.0

    def take(self, ours: Scored, other: Scored) -> None:
        """Take more bars, ``(k,)`` of both; no bit depends on how they are grouped.

        Behind those whose labels are known may come those at which they are open.
        """
        found = self._compare(ours, other)
        self.won.bet(found)
        self.lost.bet(found.reversed())
        self._gain = float(np.cumsum(np.concatenate([[self._gain], found.gain]))[-1])
        self.unit = found.unit

    @property
    def bars(self) -> int:
        """The number of bars at which both were scored."""
        return self.won.bars

    @property
    def lead(self) -> float:
        """How much better ours is on average, in ``unit`` per bar; 0 without a bar."""
        return self._gain / self.bars if self.bars else 0.0


class Comparisons:
    """The comparisons of one learner, ours, with others, since a test began.

    Args:
        new_compare: makes what compares two learners: ``by_brier``, or for agents a ``ByProfit``.
        target: what the learners forecast; of agents, the next bar.

    Attributes:
        pairs: the comparisons by the other's name.
        bars: the number of bars at which ours was scored.
    """

    def __init__(self, new_compare: Callable[[], Compare], target: Target = NEXT_BAR) -> None:
        self._target = target
        self._new_compare, self._alone = new_compare, new_compare()
        self.pairs: dict[str, Pairwise] = {}
        self.bars = 0

    def take(self, ours: Scored, others: Mapping[str, Scored]) -> None:
        """Take more bars, ``(k,)`` of each; the others are the same at each call."""
        self.bars += len(self._alone(ours, ours).better)
        for name, other in others.items():
            if name not in self.pairs:
                self.pairs[name] = Pairwise(name, self._new_compare(), self._target)
            self.pairs[name].take(ours, other)

    def rivals(self) -> list[Pairwise]:
        """Return those with baselines that were scored at enough of the bars of ours."""
        pairs = [pair for name, pair in self.pairs.items() if name != CHAMPION]
        return [pair for pair in pairs if pair.bars and pair.bars >= ENOUGH * self.bars]


def bars_left(evidence: Lagged, log_threshold: float) -> int | None:
    """Estimate the number of bars until the evidence reaches ``log_threshold``; 0 if it has.

    None if the evidence does not grow, or too slowly, or there are too few bars for an estimate.
    """
    missing = log_threshold - evidence.log_value
    if missing <= 0:
        return 0
    if evidence.bars < FEWEST_BARS or evidence.rate <= 0:
        return None
    left = math.ceil(missing / evidence.rate)
    return left if left <= LONGEST_PACE else None

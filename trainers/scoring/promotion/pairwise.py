"""Compares two learners at the bars at which both were scored, in both directions. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainers.scoring.promotion.differences import Compare
from trainers.scoring.promotion.eprocess import Evidence, evidence_of
from trainers.scoring.scored import Scored

FEWEST_BARS = 60  # bars before an estimate of the bars left; with fewer it would be chance
LONGEST_PACE = 86_400  # bars, a day of seconds: a longer estimate is given as None


class Pairwise(NamedTuple):
    """The comparison of one learner, ours, with one other.

    Attributes:
        against: name of the other.
        won: the evidence that ours is better.
        lost: the evidence that the other is better.
        lead: how much better ours is on average, in ``unit`` per bar; 0 without a bar.
        unit: the unit of ``lead``.
    """

    against: str
    won: Evidence
    lost: Evidence
    lead: float
    unit: str

    @property
    def bars(self) -> int:
        """The number of bars at which both were scored."""
        return self.won.bars


def pairwise_of(against: str, ours: Scored, other: Scored, compare: Compare) -> Pairwise:
    """Compare two learners on ``(T,)`` bars each, of the same market."""
    found = compare(ours, other)
    lead = float(found.gain.mean()) if len(found.gain) else 0.0
    turned = found._replace(better=-found.better)
    return Pairwise(against, evidence_of(found), evidence_of(turned), lead, found.unit)


def bars_left(evidence: Evidence, log_threshold: float) -> int | None:
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

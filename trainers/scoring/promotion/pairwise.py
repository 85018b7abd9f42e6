"""Two learners judged on the bars that both were scored at, each way. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from trainers.scoring.promotion.differences import Compare
from trainers.scoring.promotion.eprocess import Evidence, evidence_of
from trainers.scoring.scored import Scored

FEWEST_BARS = 60  # bars after which a pace is told; before, it is chance
LONGEST_PACE = (
    86_400  # bars, a day of seconds: a pace that takes longer is next to none, and told as none
)


class Pairwise(NamedTuple):
    """One learner against one other.

    Attributes:
        against: name of the other.
        won: evidence that ours is better.
        lost: evidence that the other is.
        lead: mean by which ours is better, in ``unit`` a bar; 0 without a bar.
        unit: of ``lead``.
    """

    against: str
    won: Evidence
    lost: Evidence
    lead: float
    unit: str

    @property
    def bars(self) -> int:
        """Bars that both were scored at."""
        return self.won.bars


def pairwise_of(against: str, ours: Scored, other: Scored, compare: Compare) -> Pairwise:
    """Compare two learners on ``(T,)`` bars each, of the same market."""
    found = compare(ours, other)
    lead = float(found.gain.mean()) if len(found.gain) else 0.0
    turned = found._replace(better=-found.better)
    return Pairwise(against, evidence_of(found), evidence_of(turned), lead, found.unit)


def bars_left(evidence: Evidence, log_threshold: float) -> int | None:
    """Return how many more bars it may take until ``log_threshold``, 0 if it is reached.

    None if the evidence does not grow (or next to not), or its bars are too few to tell.
    """
    missing = log_threshold - evidence.log_value
    if missing <= 0:
        return 0
    if evidence.bars < FEWEST_BARS or evidence.rate <= 0:
        return None
    left = math.ceil(missing / evidence.rate)
    return left if left <= LONGEST_PACE else None

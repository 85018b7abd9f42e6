"""What each forecast of a direction adds to the scores, and the sums of any number of them. Pure.

A probability of one half forecasts no direction and counts as half right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.batches import Batches
from trainers.scoring.direction.grid import EMPTY, Grid
from trainers.scoring.scored import Samples

Floats = NDArray[np.float64]

# A forecast of 0 or 1 that is wrong would cost an infinite log-loss.
SURE = 1e-6

# The numbers of a case: whether the direction is right, log-loss, Brier score, whether that of
# no-change is right, the direction forecast (1, -1, 0 none), the one that came (1, -1), and
# whether one was forecast.
HIT, LOG_LOSS, BRIER, REPEATED, SIDE, CAME, SAID = range(7)


class Directions(NamedTuple):
    """The scored forecasts of a learner.

    Attributes:
        cases: all of them; their numbers are those named above.
        grid: all of them, by probability.
        newest: the newest of them, of which the intervals of AUC and calibration are made.
    """

    cases: Batches
    grid: Grid
    newest: Samples

    @classmethod
    def none(cls, overlap: int = 0) -> Directions:
        """Return no forecast yet, of labels that overlap with so many later ones."""
        return cls(Batches.none(7, overlap), EMPTY, Samples(_NO_CASE, _NO_CASE, _NO_CASE))

    @classmethod
    def of(cls, samples: Samples) -> Directions:
        """Return the forecasts ``(n,)``, all of which are the newest."""
        return cls.none().plus(samples)._replace(newest=samples)

    def plus(self, samples: Samples) -> Directions:
        """Return these and later forecasts, ``(k,)``; the newest are replaced by the caller."""
        if len(samples.up) == 0:
            return self
        probability, up = samples.probability, samples.up
        side = np.sign(probability - 0.5)
        cases = self.cases.plus(
            _hits(side, up),
            log_losses(probability, up),
            brier_scores(probability, up),
            _hits(samples.before, up),
            side,
            2 * up - 1,
            np.abs(side),
        )
        return Directions(cases, self.grid.plus(probability, up), self.newest)


_NO_CASE = np.zeros(0)


def log_losses(probability: Floats, up: Floats) -> Floats:
    """Return minus the logarithm of the probability of the true direction, ``(n,)``, nats."""
    of_truth = np.where(up > 0, probability, 1 - probability)
    losses: Floats = -np.log(np.clip(of_truth, SURE, 1 - SURE))
    return losses


def brier_scores(probability: Floats, up: Floats) -> Floats:
    """Return the squared error of the probability, ``(n,)``: G. Brier (1950)."""
    return np.square(probability - up)


def _hits(sides: Floats, up: Floats) -> Floats:
    """Return 1 where the forecast direction is right, 0 where it is wrong, 0.5 without one."""
    return 0.5 + sides * (up - 0.5)

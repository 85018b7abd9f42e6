"""How good the best possible forecast of a direction is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Answer(NamedTuple):
    """The figures of the Bayes rule, which no model beats in the long run.

    Attributes:
        accuracy: how often the likelier direction comes.
        log_loss: of the exact probabilities, nats; ln 2 if nothing can be known.
    """

    accuracy: float
    log_loss: float

    @property
    def words(self) -> str:
        """As it is told in one line."""
        return f"accuracy {self.accuracy:.3f}, log-loss {self.log_loss:.4f}"


def answer_of(up: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Answer:
    """Return the expected figures of exact probabilities.

    Args:
        up: ``(n,)`` of a rise, given all that can be known.
        weights: ``(n,)`` how often each of them is met, summing to 1; all alike if None.
    """
    sure = np.maximum(up, 1 - up)
    unsure = np.maximum(1 - sure, np.finfo(np.float64).tiny)  # 0 ln 0 is 0
    loss = -sure * np.log(sure) - unsure * np.log(unsure)
    return Answer(*(float(np.average(x, weights=weights)) for x in (sure, loss)))

"""How a library's classifier learns from rows and gives the probability of a rise. Pure.

OneByOne    river              learn_one a row, each once, in order
InParts     partial_fit        the new rows of each cycle
Anew        fit                every n cycles on the newest rows
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.learners.linear import FEWEST_ROWS, MOST_LOGIT

Floats = NDArray[np.float64]


class TrainingRows(NamedTuple):
    """What there is to learn from, oldest first.

    Attributes:
        x: ``(N, F)`` inputs.
        up: ``(N,)`` bool, whether the price rose.
        new: the number of them, the newest, that were not there in the last cycle.
        names: the columns.
    """

    x: Floats
    up: NDArray[np.bool]
    new: int
    names: tuple[str, ...]


class Method(Protocol):
    """How a kind of estimator learns and answers.

    Attributes:
        anew: whether what it has learned before is forgotten each time.
    """

    anew: bool

    def is_due(self, rows: TrainingRows, cycle: int, fitted: int) -> bool:
        """Return whether to learn in a cycle, given when it last learned; 0 is never."""

    def learn(self, model: Any, rows: TrainingRows) -> None:
        """Train the model in place, with the new rows or with all, as its kind does."""

    def probability(self, model: Any, x: Floats, names: tuple[str, ...]) -> float | None:
        """Return the probability of a rise, given a row ``(F,)``; None if the model has none."""


def method_of(library: str, model: Any, refit_cycles: int) -> Method:
    """Return how a model learns.

    Args:
        library: a key of ``LIBRARIES``.
        model: the model, not fitted.
        refit_cycles: cycles from fit to fit; 0 where the model itself learns on is that.

    Raises:
        TypeError: if it is no classifier.
    """
    if library == "river":
        if not (hasattr(model, "learn_one") and hasattr(model, "predict_proba_one")):
            raise TypeError(f"expected a classifier (learn_one, predict_proba_one), got {model!r}")
        return OneByOne()
    says = hasattr(model, "predict_proba") or hasattr(model, "decision_function")
    if not (hasattr(model, "fit") and says):
        raise TypeError(f"expected a classifier (fit, predict_proba), got {model!r}")
    if hasattr(model, "partial_fit") and refit_cycles == 0:
        return InParts()
    return Anew(refit_cycles or REFIT_CYCLES)


REFIT_CYCLES = 10


class OneByOne:
    """River: a row at a time. Source: J. Montiel et al., River, JMLR 22 (2021)."""

    anew = False

    def is_due(self, rows: TrainingRows, cycle: int, fitted: int) -> bool:
        return rows.new > 0

    def learn(self, model: Any, rows: TrainingRows) -> None:
        first = len(rows.up) - rows.new
        for x, up in zip(rows.x[first:].tolist(), rows.up[first:].tolist(), strict=True):
            model.learn_one(dict(zip(rows.names, x, strict=True)), up)

    def probability(self, model: Any, x: Floats, names: tuple[str, ...]) -> float | None:
        found = model.predict_proba_one(dict(zip(names, x.tolist(), strict=True)))
        return float(found.get(True, 0.0)) if found else None


class _Batch:
    """Scikit-learn and what follows its interface: a row is a batch of one.

    A row is asked for alone, as products of matrices choose the order of their sums by the size of
    the batch, and a forecast has to be the same bits live and in a backtest.
    """

    def probability(self, model: Any, x: Floats, names: tuple[str, ...]) -> float | None:
        if hasattr(model, "predict_proba"):
            found = model.predict_proba(x[None])[0]
            return float(found[list(model.classes_).index(True)])
        # A margin has no scale: the logistic function makes a probability of it, no calibration.
        margin = float(model.decision_function(x[None])[0])
        return 1 / (1 + math.exp(-max(-MOST_LOGIT, min(margin, MOST_LOGIT))))


class InParts(_Batch):
    """``partial_fit`` on the rows of each cycle, each once."""

    anew = False

    def is_due(self, rows: TrainingRows, cycle: int, fitted: int) -> bool:
        return rows.new > 0

    def learn(self, model: Any, rows: TrainingRows) -> None:
        first = len(rows.up) - rows.new
        model.partial_fit(rows.x[first:], rows.up[first:], classes=np.array([False, True]))


class Anew(_Batch):
    """``fit`` every few cycles on a bounded past.

    Args:
        cycles: cycles from fit to fit.
    """

    anew = True

    def __init__(self, cycles: int) -> None:
        self._cycles = cycles

    def is_due(self, rows: TrainingRows, cycle: int, fitted: int) -> bool:
        one_sided = rows.up.all() or not rows.up.any()
        due = fitted == 0 or cycle >= fitted + self._cycles
        return len(rows.up) >= FEWEST_ROWS and not one_sided and due

    def learn(self, model: Any, rows: TrainingRows) -> None:
        model.fit(rows.x, rows.up)

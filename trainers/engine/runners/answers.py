"""A learner's forecasts at several bars, as the columns of the ledger's rows."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.snapshot import NotEnoughBarsError
from datamodules.transitions import Action
from streaming.bars import Bars
from trainers.learners.learner import Batched, Forecast, Learner, as_forecast
from trainers.learners.own_code import LearnerError, own_code
from trainers.names import LearnerKind
from trainers.scoring.ledger import MADE, NO_ACTION, SILENT


class Answers(NamedTuple):
    """The forecasts of one learner.

    Attributes:
        status: ``(n,)`` MADE, SILENT or FAILED.
        probability: ``(n,)`` that the next price is higher; NaN if none was given.
        action: ``(n,)`` an agent's action; ``NO_ACTION`` if none was given.
    """

    status: NDArray[np.uint8]
    probability: NDArray[np.float64]
    action: NDArray[np.int8]

    @classmethod
    def none(cls, n: int) -> Self:
        """Return ``n`` answers of a learner that says nothing."""
        silent, nothing = np.full(n, SILENT, np.uint8), np.full(n, NO_ACTION, np.int8)
        return cls(silent, np.full(n, np.nan), nothing)

    def put(self, i: int, status: int, found: Forecast) -> None:
        """Set the forecast at bar ``i``, with its status for the ledger."""
        self.status[i] = status
        self.probability[i] = np.nan if found.probability is None else found.probability
        self.action[i] = NO_ACTION if found.action is None else found.action

    def ends_with(self, found: Forecast | None) -> bool:
        """Return whether the last answer is ``found``, to the bit."""
        alone = self.none(1)
        if found is not None:
            alone.put(0, MADE, found)
        return bool(
            self.status[-1] == alone.status[0]
            and self.action[-1] == alone.action[0]
            and self.probability[-1:].tobytes() == alone.probability.tobytes()
        )

    def signals(self, confidence: float, *, agent: bool) -> NDArray[np.int8]:
        """Return the actions that the forecasts imply, ``(n,)``: 0 HOLD, 1 BUY, 2 SELL."""
        if agent:
            return np.where(self.action < 0, Action.HOLD, self.action).astype(np.int8)
        p = self.probability  # a comparison with NaN is false
        down = np.where(p <= 1 - confidence, Action.SELL, Action.HOLD)
        return np.where(p >= confidence, Action.BUY, down).astype(np.int8)


def signal_of(forecast: Forecast, confidence: float) -> int:
    """Return the action that one forecast implies: 0 HOLD, 1 BUY, 2 SELL."""
    if forecast.probability is None:
        return forecast.action or Action.HOLD
    if forecast.probability >= confidence:
        return Action.BUY
    return Action.SELL if forecast.probability <= 1 - confidence else Action.HOLD


def answers_of(found: Any, n: int, *, agent: bool) -> Answers:
    """Check what ``Batched.forecast_each`` has returned.

    Raises:
        ValueError: if it is not ``n`` probabilities or actions.
    """
    values = np.asarray(found)
    answers = Answers.none(n)
    if values.shape != (n,):
        raise ValueError(f"forecast_each: expected {n} forecasts, got the shape {values.shape}")
    if agent:
        made = values != NO_ACTION
        allowed = np.isin(values, (NO_ACTION, 0, 1, 2))
        answers.action[:] = np.where(allowed, values, NO_ACTION)
    else:
        made = ~np.isnan(values)
        allowed = ~made | ((values >= 0) & (values <= 1))
        answers.probability[:] = values
    if not allowed.all():
        raise ValueError(f"forecast_each: got {values[~allowed][0]!r}; expected what forecast says")
    answers.status[made] = MADE
    return answers


def together(learner: Learner, bars: Bars, n: int, history_bars: int) -> Answers | None:
    """Return the forecasts of a learner that makes many at once; None if it cannot.

    Args:
        learner: the learner.
        bars: ``(T,)`` of dtype ``BAR``; those before the ``n`` are known too.
        n: how many are new.
        history_bars: the number of newest bars that a learner is shown at each.
    """
    if not isinstance(learner, Batched):
        return None
    try:
        with own_code():
            agent = learner.kind == LearnerKind.AGENT
            found = answers_of(learner.forecast_each(bars, n), n, agent=agent)
            alone = as_forecast(learner.forecast(bars[-history_bars:]))
    except (LearnerError, NotEnoughBarsError):
        return None  # one by one it tells at which bar it fails
    return found if found.ends_with(alone) else None

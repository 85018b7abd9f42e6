"""What a learner is: forecasts each bar, learns each cycle, can be saved.

A learner of your own needs the two methods and a name; see CONTRIBUTING.md. It is given every
cycle's data and can stop no other learner: what it raises becomes its status ERROR.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from datamodules.snapshot import Snapshot
from streaming.bars import Bars


@runtime_checkable
class Learner(Protocol):
    """The contract of every learner (tests/contracts/test_learners.py).

    Attributes:
        name: its name in MLflow and on the page.
        kind: ``forecaster`` (says how likely the next bar is up) or ``agent`` (says what to do).
    """

    name: str
    kind: str

    def forecast(self, bars: Bars) -> Any:
        """Say something about the bar after the newest of ``bars``.

        Args:
            bars: ``(T,)`` final bars of dtype ``BAR``, consecutive, oldest first.

        Returns:
            The probability that the next close is higher, 0 to 1; or ``(action, values)`` with
            action 0 HOLD, 1 BUY, 2 SELL; or None while it cannot say anything yet.
        """

    def learn(self, snapshot: Snapshot) -> Mapping[str, float] | None:
        """Learn from what is known at a cut; return metrics, logged as ``train/<name>``.

        Raises:
            NotEnoughBarsError: if it must wait for more bars.
        """


class Resumable(Protocol):
    """What a learner has on top if it is to go on after a restart as if there had been none."""

    def state_dict(self) -> dict[str, Any]:
        """Return all it has learned: numbers, text, arrays and tensors, nested as you like."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the learner that ``state`` was taken from."""


class Forecast(NamedTuple):
    """A learner's answer, checked."""

    probability: float | None = None  # of up
    action: int | None = None
    values: tuple[float, ...] = ()


def as_forecast(answer: Any) -> Forecast | None:
    """Check what ``Learner.forecast`` returned.

    Raises:
        ValueError: if it is neither a probability nor an action with its values.
    """
    if answer is None:
        return None
    if isinstance(answer, tuple):
        action, values = answer
        if action not in (0, 1, 2):
            raise ValueError(f"forecast: expected action 0, 1 or 2, got {action!r}")
        return Forecast(action=int(action), values=tuple(float(value) for value in values))
    probability = float(answer)
    if not (math.isfinite(probability) and 0 <= probability <= 1):
        raise ValueError(f"forecast: expected a probability from 0 to 1, got {probability!r}")
    return Forecast(probability=probability)

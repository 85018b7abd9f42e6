"""What a learner is: it forecasts each bar and learns each cycle; further parts are optional.

A learner of your own needs the two methods and a name; see CONTRIBUTING.md. It is given every
cycle's data and can stop no other learner: what it raises becomes its status ERROR.

    Learner       forecast, learn                      every one
    Resumable     state_dict, load_state_dict          goes on after a restart as if there were none
    Adjustable    adjustable, adjust                   an operator may change numbers of it
    Versioned     export, predict                      becomes model versions and champions
    Traced        digests                              a replay can name the stage that differs
    TradesLike    trade_like                           trades as often as the agent it stands beside
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from datamodules.snapshot import Snapshot
from streaming.bars import Bars

# A model version: raw bars (B, T, 10) float64 -> a tensor (B, ...).
Model = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Context:
    """What a learner may know of the session that it is in.

    Attributes:
        market: whose bars it is given.
        seed: of the session; generators derive from (seed, market, learner, cycle).
        features: name of the feature set, a key of ``datamodules.features.FEATURE_COLUMNS``.
        confidence: probability from which a forecast is a trade signal.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
    """

    market: str = ""
    seed: int = 0
    features: str = "flow"
    confidence: float = 0.65
    fee_bps: float = 1.0


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
        """Return a forecast of the bar after the newest of ``bars``.

        Args:
            bars: ``(T,)`` final bars of dtype ``BAR``, consecutive, oldest first.

        Returns:
            The probability that the next close is higher, 0 to 1; or ``(action, values)`` with
            action 0 HOLD, 1 BUY, 2 SELL; or None while it cannot forecast yet.
        """

    def learn(self, snapshot: Snapshot) -> Mapping[str, float] | None:
        """Learn from what is known when a cycle begins; return metrics, ``train/<name>`` in MLflow.

        Raises:
            NotEnoughBarsError: if it must wait for more bars.
        """


@runtime_checkable
class Resumable(Protocol):
    """A learner that goes on after a restart as if there had been none."""

    def state_dict(self) -> dict[str, Any]:
        """Return all it has learned: numbers, text, arrays and tensors, nested as you like."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the learner that ``state`` was taken from."""


@runtime_checkable
class Adjustable(Protocol):
    """A learner with numbers that an operator may change while it runs.

    Attributes:
        adjustable: their names, of ``learning_rate``, ``epsilon`` and ``confidence``.
    """

    adjustable: tuple[str, ...]

    def adjust(self, name: str, value: float) -> None:
        """Use ``value`` from the next training on."""


@runtime_checkable
class Versioned(Protocol):
    """A learner whose state becomes a model version, which may forecast beside it as champion."""

    def export(self) -> tuple[Any, int] | None:
        """Return the version that forecasts now, a torch module, and how many raw bars it takes.

        None before it has learned.
        """

    @staticmethod
    def predict(model: Model, bars: Bars) -> Any:
        """Return what ``forecast`` would, by a version; None where the bars do not allow it."""


@runtime_checkable
class Traced(Protocol):
    """A learner that tells what its last training was fed.

    Attributes:
        digests: hashes by stage, ``features`` and ``batches``.
    """

    @property
    def digests(self) -> Mapping[str, str]:
        """Return the hashes."""


@runtime_checkable
class TradesLike(Protocol):
    """A baseline that trades as often as the agent beside it."""

    def trade_like(self, turnover: float) -> None:
        """Trade with so many changes of position a bar from now on; told once a cycle."""


class Forecast(NamedTuple):
    """A learner's answer, checked: a forecaster's probability or an agent's action."""

    probability: float | None = None  # of up
    action: int | None = None


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
        [float(value) for value in values]  # the second half of the answer is numbers, too
        return Forecast(action=int(action))
    probability = float(answer)
    if not (math.isfinite(probability) and 0 <= probability <= 1):
        raise ValueError(f"forecast: expected a probability from 0 to 1, got {probability!r}")
    return Forecast(probability=probability)

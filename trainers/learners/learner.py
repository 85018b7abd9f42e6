"""The protocols of a learner: it forecasts each bar and learns each cycle; the rest is optional.

A learner of your own needs these two methods and a name; see CONTRIBUTING.md. It gets the data of
every cycle and cannot stop another learner: whatever it raises, ``sys.exit`` included, becomes its
status ERROR.

    Learner       forecast, learn                every learner
    Resumable     state_dict, load_state_dict    continues after a restart as if there were none
    Adjustable    adjustable, adjust             has numbers that an operator may change
    Versioned     export, predict                can be registered as model version and champion
    Traced        digests                        lets a replay name the stage that differs
    TradesLike    trade_like                     a baseline that trades as often as an agent
    Batched       forecast_each                  forecasts many bars in one call, for a backtest
    Checked       check                          is tried before a session starts

A built-in one is ``Stackable`` too (``trainers.learners.stacked``): a trainer of many markets asks
the models of all at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.config import SessionConfig

# The model of a version: raw bars (B, T, 16) float64 -> a tensor (B, ...).
Model = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Context:
    """The part of the session's settings that every learner may use.

    Attributes:
        market: symbol of the market whose bars it gets.
        seed: the session's seed; generators derive from (seed, market, learner, cycle).
        features: name of the feature set, a key of ``datamodules.features.COLUMNS``.
        confidence: probability from which a forecast is a trade signal.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        label: the price whose move is forecast, one of ``datamodules.labels.LABELS``.
        horizon: how many bars ahead a forecaster forecasts; labels are known no earlier. An agent's
            action is about the next bar.
    """

    market: str
    seed: int
    features: str
    confidence: float
    fee_bps: float
    label: str
    horizon: int

    @classmethod
    def of(cls, config: SessionConfig, market: str = "") -> Context:
        """Return a market's part of a session's settings."""
        return cls(
            market=market,
            seed=config.seed,
            features=config.feature_set,
            confidence=config.confidence,
            fee_bps=config.fee_bps,
            label=config.label,
            horizon=config.horizon,
        )


@runtime_checkable
class Learner(Protocol):
    """The contract of every learner (tests/contracts/test_learners.py).

    Attributes:
        name: the learner's name in MLflow and on the page.
        kind: ``forecaster`` (returns the probability of a rise) or ``agent`` (returns an action).
    """

    name: str
    kind: str

    def forecast(self, bars: Bars) -> Any:
        """Return a forecast of the bar ``Context.horizon`` after the newest of ``bars``.

        Args:
            bars: ``(T,)`` final bars of dtype ``BAR``, consecutive, oldest first; over one whose
                ``gap`` is not 0 nothing should be learned or forecast.

        Returns:
            The probability that the price at the horizon is higher, 0 to 1; or
            ``(action, values)`` with the action 0 HOLD, 1 BUY or 2 SELL and a sequence of
            numbers, which is not used; or None where it cannot forecast.
        """

    def learn(self, snapshot: Snapshot) -> Mapping[str, float] | None:
        """Learn from the bars that are known when a cycle begins.

        Returns:
            Metrics by name, which become ``train/<name>`` in MLflow; None for no metrics. A name
            has letters, digits, _ - . / and blanks; other names, and values that are no numbers,
            are told once and not logged.

        Raises:
            NotEnoughBarsError: if the learner needs more bars; it is called again next cycle.
        """


@runtime_checkable
class Resumable(Protocol):
    """A learner that continues after a restart as if there had been none."""

    def state_dict(self) -> dict[str, Any]:
        """Return the learner's whole state: numbers, text, arrays, tensors, in dicts and lists."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""


@runtime_checkable
class Adjustable(Protocol):
    """A learner with numbers that an operator may change while it runs.

    Attributes:
        adjustable: the names of these numbers, among ``learning_rate``, ``epsilon`` and
            ``confidence``.
    """

    adjustable: tuple[str, ...]

    def adjust(self, name: str, value: float) -> None:
        """Set a number, to be used from the next training on."""


@runtime_checkable
class Versioned(Protocol):
    """A learner that can be registered as a model version, which may serve as champion."""

    def export(self) -> tuple[Any, int] | None:
        """Return the torch module that forecasts now, and the number of raw bars that it takes.

        If the module has ``outputs``, the names of its output's columns, the version tells them.
        None before the learner has learned.
        """

    @staticmethod
    def predict(model: Model, bars: Bars) -> Any:
        """Forecast with a version's model, with the same result as ``forecast``.

        None where the bars do not allow a forecast.
        """


@runtime_checkable
class Traced(Protocol):
    """A learner that has hashes of its last training's inputs."""

    @property
    def digests(self) -> Mapping[str, str]:
        """The hashes by stage: ``features`` and ``batches``."""


@runtime_checkable
class TradesLike(Protocol):
    """A baseline that trades as often as the session's first agent."""

    def trade_like(self, turnover: float) -> None:
        """Set the turnover, in changes of position per bar; called once a cycle."""


@runtime_checkable
class Batched(Protocol):
    """A learner that forecasts many bars in one call, with the same bits as one by one."""

    def forecast_each(self, bars: Bars, n: int) -> NDArray[Any]:
        """Return the forecasts made at each of the newest ``n``.

        Args:
            bars: ``(T,)`` as for ``forecast``, ``T >= n``; it also has the bars before the ``n``.
            n: how many of them.

        Returns:
            ``(n,)`` what ``forecast(bars[: T - n + i + 1])`` says: a forecaster's probability, NaN
            where it cannot forecast; or an agent's action, -1 where it cannot.
        """


@runtime_checkable
class Checked(Protocol):
    """A learner that can tell before a session starts whether it can learn at all."""

    def check(self) -> None:
        """Try to learn; the learner stays as it was.

        Raises:
            Exception: if it cannot; the text becomes one line.
        """


class Forecast(NamedTuple):
    """A learner's answer, checked: a forecaster's probability or an agent's action."""

    probability: float | None = None  # that the price at the horizon is higher
    action: int | None = None


def as_forecast(answer: Any) -> Forecast | None:
    """Check an answer of ``Learner.forecast``; None stays None.

    Raises:
        TypeError, ValueError: if it is neither a probability nor an action with its values.
    """
    if answer is None:
        return None
    if isinstance(answer, tuple):
        action, values = answer
        if action not in (0, 1, 2):
            raise ValueError(f"forecast: expected action 0, 1 or 2, got {action!r}")
        [float(value) for value in values]  # raises if the values are no numbers
        return Forecast(action=int(action))
    probability = float(answer)
    if not (math.isfinite(probability) and 0 <= probability <= 1):
        raise ValueError(f"forecast: expected a probability from 0 to 1, got {probability!r}")
    return Forecast(probability=probability)

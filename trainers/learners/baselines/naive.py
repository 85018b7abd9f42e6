"""The naive baselines, which a useful forecast or trade has to beat.

    majority         the share of rises so far
    last_direction   the last move is followed by another in its direction
    reversal         the last move is followed by one against it: mostly bid-ask bounce
                     (a move is over the horizon: the newest known one by the next)
    flat             is never in the market
    buy_and_hold     is always in the market
    random           trades at random, as often as the session's first agent

They learn each cycle from the bars known when it begins, as all learners do. The probabilities of
the first three are frequencies in these bars, so they are calibrated.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.labels import label_prices, moves_over
from datamodules.plain import copied
from datamodules.snapshot import NotEnoughBarsError, Snapshot, entropy
from datamodules.target import CLOSE
from datamodules.transitions import Action
from datamodules.windows import gap_free
from streaming.bars import Bars
from streaming.forward_fill import forward_fill
from streaming.ticks import NS_PER_S
from trainers.learners.learner import Context
from trainers.names import LearnerKind

# How far back the last move may be, in bars; without a move in them there is no forecast.
LOOKBACK_BARS = 60


class Baseline(abc.ABC):
    """A learner whose state is a few numbers.

    It makes no forecast before it has learned, nor on a bar with a gap.

    Attributes:
        state: the numbers by name, which are also its metrics; empty before it has learned.
    """

    name: str
    kind = "forecaster"

    def __init__(self, context: Context) -> None:
        self.seed, self.market = context.seed, context.market
        self.label, self.horizon = context.label, context.horizon
        self.state: dict[str, Any] = {}

    def forecast(self, bars: Bars) -> Any:
        if not self.state or bars["gap"][-1]:
            return None
        return self.predict_known(bars)

    def forecast_each(self, bars: Bars, n: int) -> NDArray[Any]:
        nothing = -1 if self.kind == LearnerKind.AGENT else np.nan
        found = np.full(n, nothing)
        # The first bar of all has none before it.
        known = np.flatnonzero((bars["gap"][-n:] == 0) & (np.arange(len(bars) - n, len(bars)) > 0))
        if self.state and len(known):
            found[known] = self.known_each(bars, n)[known]
        return found

    def learn(self, snapshot: Snapshot) -> Mapping[str, float]:
        if len(snapshot.bars) < 2:
            raise NotEnoughBarsError(len(snapshot.bars), 2)
        self.state = self.counted(snapshot)
        return {name: float(value) for name, value in self.state.items()}

    @abc.abstractmethod
    def predict_known(self, bars: Bars) -> Any:
        """Return a forecast, given that ``state`` is known and the newest bar has no gap."""

    @abc.abstractmethod
    def known_each(self, bars: Bars, n: int) -> NDArray[Any]:
        """Return ``(n,)`` what ``predict_known`` says at each of the newest ``n`` bars."""

    @abc.abstractmethod
    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        """Return the new ``state``, at least one number, computed from a snapshot."""

    def state_dict(self) -> dict[str, Any]:
        return copied(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = copied(state)


class Majority(Baseline):
    """Forecasts the share of rises among the moves, with one rise and one fall added (Laplace)."""

    name = "majority"

    def predict_known(self, bars: Bars) -> float | None:
        return float(self.state["up"]) if len(bars) > 1 else None

    def known_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        return np.full(n, float(self.state["up"]))

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        moves = moves_of(snapshot.bars, self.label, self.horizon)
        return {"up": ((moves > 0).sum() + 1) / ((moves != 0).sum() + 2)}


class LastDirection(Baseline):
    """Forecasts that the next move has the sign of the last one, as often as it had so far.

    Where the opposite sign was more frequent, it forecasts one half: that case is ``Reversal``'s.
    """

    name = "last_direction"
    lean = 1

    def predict_known(self, bars: Bars) -> float | None:
        (found,) = self.known_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def known_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        first = len(bars) - n - LOOKBACK_BARS - self.horizon + 1
        moves = moves_of(bars[max(0, first) :], self.label, self.horizon)
        moves = np.concatenate([np.zeros(LOOKBACK_BARS + n - len(moves), np.int64), moves])
        place = np.arange(len(moves))
        at = np.maximum.accumulate(np.where(moves != 0, place, -1))
        recent = (at > place - LOOKBACK_BARS)[-n:] & (at >= 0)[-n:]
        said = 0.5 + self.lean * moves[at[-n:]] * (self.state["agreed"] - 0.5)
        return np.where(recent, said, np.nan)

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        moves = moves_of(snapshot.bars, self.label, self.horizon)
        before = forward_fill(moves, 0)[: -self.horizon]  # the newest move known when it began
        pairs = before * moves[self.horizon :]
        agreed = (self.lean * pairs > 0).sum()
        return {"agreed": max(0.5, (agreed + 1) / ((pairs != 0).sum() + 2))}


class Reversal(LastDirection):
    """Forecasts that the next move has the opposite sign of the last one, as often as it had."""

    name = "reversal"
    lean = -1


class Flat(Baseline):
    """An agent that is never in the market; it earns 0, and others have to earn more."""

    name, kind = "flat", "agent"
    action, values = Action.SELL, (0.0, -1.0)

    def predict_known(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        return (self.action, self.values) if len(bars) > 1 else None

    def known_each(self, bars: Bars, n: int) -> NDArray[np.int64]:
        return np.full(n, int(self.action))

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        return {"bars": float(len(snapshot.bars))}


class BuyAndHold(Flat):
    """An agent that is always in the market."""

    name = "buy_and_hold"
    action, values = Action.BUY, (0.0, 1.0)


class Random(Flat):
    """An agent that trades at random, as often as the session's first agent.

    A draw depends only on (seed, market, bar), so a replay draws the same.

    Attributes:
        turnover: the other agent's turnover, in changes of position per bar.
    """

    name = "random"
    turnover = 0.0

    def trade_like(self, turnover: float) -> None:
        self.turnover = turnover

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "turnover": self.turnover}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.turnover = state["turnover"]
        super().load_state_dict({k: v for k, v in state.items() if k != "turnover"})

    def predict_known(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        if len(bars) < 2:
            return None
        return self._action(bars["ts_open"][-1]), (0.0, 0.0)

    def known_each(self, bars: Bars, n: int) -> NDArray[np.int64]:
        return np.array([self._action(opens) for opens in bars["ts_open"][-n:]], np.int64)

    def _action(self, opens: np.int64) -> int:
        """Draw the action at a bar that opens at ``opens``, ns."""
        seeds = entropy(self.seed, self.market, self.name, int(opens) // NS_PER_S)
        drawn = np.random.default_rng(seeds).random()
        # Twice the turnover in orders, as half of them find the position as they want it.
        if drawn < self.turnover:
            return Action.BUY
        return Action.SELL if drawn > 1 - self.turnover else Action.HOLD


def moves_of(bars: Bars, label: str = CLOSE, horizon: int = 1) -> NDArray[np.int64]:
    """Return the signs of the moves over the horizon; 0 where a gap hides the move.

    Returns:
        ``(T - horizon,)``, none if there are fewer bars; the last one is over the newest bars.
    """
    if len(bars) <= horizon:
        return np.zeros(0, np.int64)
    signs = np.sign(moves_over(label_prices(bars, label), horizon)).astype(np.int64)
    whole: NDArray[np.int64] = signs * gap_free(bars["gap"], horizon + 1)
    return whole

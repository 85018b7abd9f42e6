"""What every forecast and every trade has to beat; always on, in the same ledger.

    majority         the share of ups so far
    last_direction   the last move goes on, as often as it did, if it did
    reversal         the last move is taken back, as often as it was: mostly bid-ask bounce
    flat             never in the market
    buy_and_hold     always in
    random           in and out by chance, as often as the agent trades

They learn as other learners do, each cycle from what is known at its cut, so that a naive rule
is at least a calibrated one.
"""

from __future__ import annotations

import abc
import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.snapshot import NotEnoughBarsError, Snapshot, entropy
from datamodules.transitions import Action
from datamodules.windows import gap_free
from streaming.bars import Bars
from trainers.learners.learner import Context

LOOKBACK_BARS = (
    60  # bars back to the last move; in a market that is still for longer it says nothing
)


class Baseline(abc.ABC):
    """A learner whose state is a handful of numbers; silent until it has learned, and in gaps."""

    name: str
    kind = "forecaster"

    def __init__(self, context: Context) -> None:
        self.seed, self.market = context.seed, context.market
        self.state: dict[str, Any] = {}

    def forecast(self, bars: Bars) -> Any:
        if not self.state or bars["gap"][-1]:
            return None
        return self.predict_known(bars)

    def learn(self, snapshot: Snapshot) -> Mapping[str, float]:
        if len(snapshot.bars) < 2:
            raise NotEnoughBarsError(len(snapshot.bars), 2)
        self.state = self.counted(snapshot)
        return {name: float(value) for name, value in self.state.items()}

    @abc.abstractmethod
    def predict_known(self, bars: Bars) -> Any:
        """Return a forecast; ``state`` is there and the newest bar has no gap."""

    @abc.abstractmethod
    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        """Return the numbers that the snapshot teaches; at least one."""

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = copy.deepcopy(state)


class Majority(Baseline):
    """The share of ups among the bars that moved, one of each added (Laplace's rule)."""

    name = "majority"

    def predict_known(self, bars: Bars) -> float | None:
        return float(self.state["up"]) if len(bars) > 1 else None

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        moves = moves_of(snapshot.bars)
        return {"up": ((moves > 0).sum() + 1) / ((moves != 0).sum() + 2)}


class LastDirection(Baseline):
    """The next move has the sign of the last, with the probability that it had so far.

    One half where moves were rather taken back: that is ``reversal``.
    """

    name = "last_direction"
    lean = 1

    def predict_known(self, bars: Bars) -> float | None:
        moves = moves_of(bars[-LOOKBACK_BARS - 1 :])
        last = moves[moves != 0][-1:]
        return (
            float(0.5 + self.lean * last[0] * (self.state["agreed"] - 0.5)) if len(last) else None
        )

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        moves = moves_of(snapshot.bars)
        moves = moves[moves != 0]
        agreed = (self.lean * moves[1:] * moves[:-1] > 0).sum()
        return {"agreed": max(0.5, (agreed + 1) / (max(len(moves) - 1, 0) + 2))}


class Reversal(LastDirection):
    """The next move takes the last one back, with the probability that it did so far."""

    name = "reversal"
    lean = -1


class Flat(Baseline):
    """Never in the market: what an agent must earn more than."""

    name, kind = "flat", "agent"
    action, values = Action.SELL, (0.0, -1.0)

    def predict_known(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        return (self.action, self.values) if len(bars) > 1 else None

    def counted(self, snapshot: Snapshot) -> dict[str, float]:
        return {"bars": float(len(snapshot.bars))}


class BuyAndHold(Flat):
    """Always in the market."""

    name = "buy_and_hold"
    action, values = Action.BUY, (0.0, 1.0)


class Random(Flat):
    """In and out by chance; ``turnover`` is set to what the agent's was (changes a bar).

    Drawn from (seed, market, bar), so that a bar has the same draw at every replay.
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
        second = int(bars["ts_open"][-1]) // 10**9
        seeds = entropy(self.seed, self.market, self.name, second)
        drawn = np.random.default_rng(seeds).random()
        # Half of the orders find the position as they want it.
        action = (
            Action.BUY
            if drawn < self.turnover
            else Action.SELL
            if drawn > 1 - self.turnover
            else Action.HOLD
        )
        return action, (0.0, 0.0)


def moves_of(bars: Bars) -> NDArray[np.int64]:
    """Return ``(T - 1,)`` signs of the moves between closes, 0 where a gap hides them."""
    signs = np.sign(np.diff(bars["close"])).astype(np.int64)
    whole: NDArray[np.int64] = signs * gap_free(bars["gap"], 2)
    return whole

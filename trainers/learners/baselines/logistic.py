"""Online logistic regression on the newest feature row: the usual baseline of streaming ML.

Each cycle makes one pass of stochastic gradient descent over the new bars.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.labelled_rows import labelled_rows, newest_rows
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.learners.learner import Context
from trainers.learners.linear import OnlineLogistic


class Logistic:
    """A learner that forecasts by online logistic regression."""

    name, kind = "logistic", "forecaster"

    def __init__(self, context: Context) -> None:
        self.features, self.label = context.features, context.label
        self.horizon = context.horizon
        self._online = OnlineLogistic()
        self._learned_until = 0  # open time of the newest bar learned from, ns

    def forecast(self, bars: Bars) -> float | None:
        (found,) = self.forecast_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        found = np.full(n, np.nan)
        rows, at = newest_rows(bars, self.features, n)
        if len(rows) and (said := self._online.probabilities(rows)) is not None:
            found[at] = said
        return found

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        rows = labelled_rows(snapshot.bars, self.features, self.label, self.horizon)
        new = rows.ts > self._learned_until
        self._learned_until = int(snapshot.bars["ts_open"][-1])
        if new.any():
            self._online.learn(rows.x[new], rows.up[new])
        return {"rows": float(new.sum())}

    def state_dict(self) -> dict[str, Any]:
        return {"learned_until": self._learned_until, **self._online.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learned_until = state["learned_until"]
        self._online.load_state_dict(state)

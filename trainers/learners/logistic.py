"""Online logistic regression on the newest feature row: the baseline of streaming ML.

One pass of stochastic gradient descent over the bars that each cycle brings, with a running
standardisation; the same method as river's ``StandardScaler | LogisticRegression``.
Source: L. Bottou, Online learning and stochastic approximations (1998).
"""

from __future__ import annotations

import copy
from typing import Any

from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from datamodules.labelled_rows import labelled_rows, newest_row
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.config import SessionConfig

STEP_SIZE = 0.01
RIDGE = 1e-4
FAR = 5.0  # standard deviations


class Logistic:
    """P(up) is logistic in the feature row of the newest bar."""

    name, kind = "logistic", "forecaster"

    def __init__(self, config: SessionConfig) -> None:
        self.features = config.features
        self._scaler = StandardScaler()
        self._model: SGDClassifier | None = None
        self._learned_until = 0  # open of the newest bar learned from, ns

    def forecast(self, bars: Bars) -> float | None:
        row = newest_row(bars, self.features)
        if self._model is None or row is None:
            return None
        return float(self._model.predict_proba(self._standard(row))[0, 1])

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        rows = labelled_rows(snapshot.bars, self.features)
        new = rows.ts > self._learned_until
        self._learned_until = int(snapshot.bars["ts_open"][-1])
        if new.any():
            # The version that forecasts is replaced, never changed.
            self._scaler = copy.deepcopy(self._scaler).partial_fit(rows.x[new])
            model = copy.deepcopy(self._model) or SGDClassifier(
                loss="log_loss",
                alpha=RIDGE,
                learning_rate="constant",
                eta0=STEP_SIZE,
                shuffle=False,
            )
            x, up = self._standard(rows.x[new]), rows.up[new]
            self._model = model.partial_fit(x, up, classes=[False, True])
        return {"rows": float(new.sum())}

    def _standard(self, rows: Any) -> Any:
        return self._scaler.transform(rows).clip(-FAR, FAR)

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(
            {"scaler": self._scaler, "model": self._model, "learned_until": self._learned_until}
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = copy.deepcopy(state)
        self._scaler, self._model = state["scaler"], state["model"]
        self._learned_until = state["learned_until"]

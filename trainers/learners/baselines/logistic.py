"""Online logistic regression on the newest feature row: the usual baseline of streaming ML.

Each cycle makes one pass of stochastic gradient descent over the new bars, with a running
standardisation: the method of river's ``StandardScaler | LogisticRegression``.
Source: L. Bottou, Online learning and stochastic approximations (1998).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from datamodules.labelled_rows import labelled_rows, newest_rows
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.learners.learner import Context
from trainers.learners.linear import probabilities

STEP_SIZE = 0.01
RIDGE = 1e-4
CLIP_SD = 5.0  # standard deviations


class Logistic:
    """A learner that forecasts by online logistic regression."""

    name, kind = "logistic", "forecaster"

    def __init__(self, context: Context) -> None:
        self.features, self.label = context.features, context.label
        self.horizon = context.horizon
        self._scaler = StandardScaler()
        self._model: SGDClassifier | None = None
        self._learned_until = 0  # open time of the newest bar learned from, ns

    def forecast(self, bars: Bars) -> float | None:
        (found,) = self.forecast_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        found = np.full(n, np.nan)
        rows, at = newest_rows(bars, self.features, n)
        if (model := self._model) is not None and len(rows):
            bias = float(model.intercept_[0])
            found[at] = probabilities(self._standard(rows), model.coef_[0], bias)
        return found

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        rows = labelled_rows(snapshot.bars, self.features, self.label, self.horizon)
        new = rows.ts > self._learned_until
        self._learned_until = int(snapshot.bars["ts_open"][-1])
        if new.any():
            # The scaler and model that forecast are replaced, never changed.
            self._scaler = copy.deepcopy(self._scaler).partial_fit(rows.x[new])
            model = copy.deepcopy(self._model) or _new_model()
            x, up = self._standard(rows.x[new]), rows.up[new]
            self._model = model.partial_fit(x, up, classes=[False, True])
        return {"rows": float(new.sum())}

    def _standard(self, rows: Any) -> Any:
        # As StandardScaler.transform, without its checks, which take longer than a forecast.
        standard = (rows - self._scaler.mean_) / self._scaler.scale_
        return standard.clip(-CLIP_SD, CLIP_SD)

    def state_dict(self) -> dict[str, Any]:
        model, scaler = self._model, self._scaler
        known: dict[str, Any] = {"learned_until": self._learned_until}
        if model is not None:
            known["model"] = {"weights": model.coef_, "bias": model.intercept_, "seen": model.t_}
            known["scaler"] = {
                "mean": scaler.mean_,
                "variance": scaler.var_,
                "scale": scaler.scale_,
                "seen": int(scaler.n_samples_seen_),
            }
        return copy.deepcopy(known)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = copy.deepcopy(state)
        self._learned_until = state["learned_until"]
        self._scaler, self._model = StandardScaler(), None
        if "model" not in state:
            return
        moments, weights = state["scaler"], state["model"]
        nothing = np.zeros((1, len(moments["mean"])))
        scaler = self._scaler.fit(nothing)  # fitting any row creates the attributes set below
        scaler.mean_, scaler.var_, scaler.scale_ = (
            moments[name] for name in ("mean", "variance", "scale")
        )
        scaler.n_samples_seen_ = np.int64(moments["seen"])
        model = _new_model().partial_fit(nothing, [False], classes=[False, True])
        model.coef_[:], model.intercept_[:] = weights["weights"], weights["bias"]
        model.t_ = weights["seen"]
        self._model = model


def _new_model() -> SGDClassifier:
    return SGDClassifier(
        loss="log_loss", alpha=RIDGE, learning_rate="constant", eta0=STEP_SIZE, shuffle=False
    )

"""The permuted-label control: a model that cannot know anything, and must not score as if it did.

Each cycle it is fitted to the labels of the snapshot in a random order. If it forecasts better than
the share of rises all the same, labels leak: a label was read too early, or a forecast was written
too late. An event with the code ``leak_alarm`` reports that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.labelled_rows import labelled_rows, newest_rows
from datamodules.plain import copied
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.learners.learner import Context
from trainers.learners.linear import fit_logistic, probabilities

CLIP_SD = 4.0  # standard deviations
SMALL = 1e-9  # the lowest standard deviation, as a share of the mean where that is below 1
LEAST = 1e-300  # where the mean is 0


class PermutedLabels:
    """A ridge logistic regression on the newest feature row, fitted to permuted labels."""

    name, kind = "permuted_labels", "forecaster"

    def __init__(self, context: Context) -> None:
        self.features, self.label = context.features, context.label
        self.horizon = context.horizon
        self.state: dict[str, Any] = {}

    def forecast(self, bars: Bars) -> float | None:
        (found,) = self.forecast_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        found = np.full(n, np.nan)
        rows, at = newest_rows(bars, self.features, n)
        if self.state and len(rows):
            x, state = _standard(rows, self.state), self.state
            found[at] = probabilities(x, state["weights"], state["bias"])
        return found

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        rows = labelled_rows(snapshot.bars, self.features, self.label, self.horizon)
        if len(rows.x):
            mean = rows.x.mean(0)
            least = np.minimum(SMALL, SMALL * np.abs(mean)).clip(LEAST)  # prices may be tiny
            moments = {"mean": mean, "deviation": rows.x.std(0).clip(least)}
            up = snapshot.rng(self.name).permutation(rows.up)
            fitted = fit_logistic(_standard(rows.x, moments), up)
            weights, bias = fitted or (np.zeros(rows.x.shape[1]), 0.0)
            self.state = {**moments, "weights": weights, "bias": bias}
        return {"rows": float(len(rows.x))}

    def state_dict(self) -> dict[str, Any]:
        return copied(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = copied(state)


def _standard(rows: NDArray[np.float64], moments: dict[str, Any]) -> NDArray[np.float64]:
    x: NDArray[np.float64] = (rows - moments["mean"]) / moments["deviation"]
    return x.clip(-CLIP_SD, CLIP_SD)

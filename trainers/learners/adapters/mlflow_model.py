"""A learner made of a model in MLflow: it forecasts, and never learns.

What the model is given follows from its signature:

    (B, T, 16)             the newest T raw bars, as Tickloop's own models take them
    columns by name        these features of the feature set, as a table
    (B, F), or none        the features, as an array, or as a table
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.features import RAW_COLUMNS, raw_columns
from datamodules.snapshot import Snapshot
from streaming.bars import BAR, Bars
from trainers.config.entries import Entry
from trainers.learners.adapters.inputs import Inputs, inputs_of
from trainers.learners.adapters.settings import InputSettings
from trainers.learners.adapters.wrapped import refusing, settings_of
from trainers.learners.learner import Context
from trainers.names import LearnerKind

ADVICE = "log the model with pyfunc_predict_fn='predict_proba'"


class ModelLearner:
    """A learner that forecasts with a model as ``mlflow.pyfunc`` loads it.

    Args:
        name: the learner's name.
        model: the model.
        inputs: what it sees, unless it takes raw bars.
    """

    kind = LearnerKind.FORECASTER.value

    def __init__(self, name: str, model: Any, inputs: Inputs) -> None:
        self.name, self._model, self._inputs = name, model, inputs
        self._learned = False
        schema = model.metadata.get_input_schema()
        self._columns: list[str] | None = None
        self._shape: tuple[int, ...] = ()
        if schema is not None and schema.has_input_names():
            self._columns = schema.input_names()
        elif schema is not None and schema.is_tensor_spec():
            self._shape = tuple(schema.inputs[0].shape)
            self._dtype = schema.inputs[0].type
        unknown = set(self._columns or []) - set(inputs.names)
        if unknown and inputs.names:
            raise ValueError(
                f"its columns {', '.join(sorted(unknown))} are none of the features'; allowed:"
                f" {', '.join(inputs.names)}"
            )

    @property
    def _bars(self) -> int:
        """The number of raw bars that the model takes; 0 if it takes none."""
        raw = len(self._shape) == 3 and self._shape[2] == len(RAW_COLUMNS)
        return self._shape[1] if raw else 0

    def forecast(self, bars: Bars) -> float | None:
        if not self._learned:
            return None
        if n := self._bars:
            if len(bars) < n or bars["gap"][1 - n :].any():
                return None
            return self._said(raw_columns(bars[-n:])[None])
        rows, _ = self._inputs.newest(bars, 1)
        return self._said(self._given(rows)) if len(rows) else None

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        said = (self.forecast(bars[: len(bars) - n + i + 1]) for i in range(n))
        return np.array([np.nan if p is None else p for p in said], np.float64)

    def _given(self, rows: NDArray[np.float64]) -> Any:
        if self._shape:
            return rows.astype(self._dtype)
        table = pd.DataFrame(rows, columns=list(self._inputs.names))
        return table if self._columns is None else table[self._columns]

    def _said(self, given: Any) -> float:
        found = np.asarray(self._model.predict(given)).reshape(-1)
        if found.dtype.kind != "f":
            raise TypeError(f"expected the probability of a rise, got {found[:3]}; {ADVICE}")
        # Two numbers are the classes' probabilities; Tickloop's own models say it first.
        return float(found[1] if len(found) == 2 and not self._bars else found[0])

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        """Learn nothing; forecasts begin after the first cycle, as everybody's do."""
        self._learned = True
        return {"bars": float(len(snapshot.bars))}

    def state_dict(self) -> dict[str, Any]:
        return {"learned": self._learned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learned = state["learned"]

    def check(self) -> None:
        """Ask for a forecast of a market that stands still.

        Raises:
            ValueError: if it is no probability.
        """
        bars = np.zeros(max(self._bars, 200), BAR)
        for name in ("open", "high", "low", "close", "bid", "ask", "last_sold", "last_bought"):
            bars[name] = 100.0
        p = self._said(raw_columns(bars[-n:])[None]) if (n := self._bars) else self._tried(bars)
        if not 0 <= p <= 1:
            raise ValueError(f"expected a probability from 0 to 1, got {p!r}; {ADVICE}")

    def _tried(self, bars: Bars) -> float:
        rows, _ = self._inputs.newest(bars, 1)
        return self._said(self._given(rows)) if len(rows) else 0.5


def learner_of(entry: Entry, given: Mapping[str, Any], context: Context) -> ModelLearner:
    """Make the learner that an entry names; see ``adapted``."""
    settings, _ = settings_of(entry, InputSettings, given, {})
    with refusing(entry, "cannot be loaded"):
        model = mlflow.pyfunc.load_model(entry.path)
    with refusing(entry, "cannot be used"):
        return ModelLearner(entry.name, model, inputs_of(settings.features, context))

"""A learner made of a classifier of river, scikit-learn, LightGBM or XGBoost.

    bars -> rows -> standardised -> classifier -> probability

A cycle takes the state of the last one as a checkpoint would have it, learns, and keeps the new
state; what forecasts is made of that state too. So a learner that was restored goes on to the bit,
whatever a library hides in its objects, and no model that forecasts is ever trained.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from datamodules.digest import digest
from datamodules.plain import not_plain
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.config.entries import Entry
from trainers.learners.adapters.estimators.methods import Method, TrainingRows, method_of
from trainers.learners.adapters.estimators.parameters import arguments_of, known_parameters
from trainers.learners.adapters.estimators.plain_state import plain, restored
from trainers.learners.adapters.inputs import Inputs, inputs_of
from trainers.learners.adapters.settings import EstimatorSettings
from trainers.learners.adapters.wrapped import find, refusing, seed_of, settings_of
from trainers.learners.learner import Context
from trainers.learners.linear import CLIP_SD
from trainers.names import LearnerKind

Floats = NDArray[np.float64]

TRIED_ROWS = 64


class EstimatorLearner:
    """A learner that forecasts with a classifier.

    Args:
        name: the learner's name.
        make: makes the classifier, not fitted.
        method: how it learns.
        inputs: what it sees.
        libraries: the packages that it may be restored from.
        past_bars: the number of newest bars that a fit may learn from.
        standardise: whether columns are standardised, by their past alone, and cut at 5 standard
            deviations.
    """

    kind = LearnerKind.FORECASTER.value

    def __init__(
        self,
        name: str,
        make: Callable[[], Any],
        method: Method,
        inputs: Inputs,
        libraries: set[str],
        *,
        past_bars: int,
        standardise: bool,
    ) -> None:
        threadpool_limits(1)  # of libraries that are loaded only now; see ``determinism``
        self.name, self.digests = name, dict[str, str]()
        self._make, self._method, self._inputs = make, method, inputs
        self._libraries = {*libraries, "sklearn"}
        self._past_bars, self._standardise = past_bars, standardise
        self._learned_until = self._fitted = 0  # open time of a bar, ns; a cycle
        self._state: dict[str, Any] | None = None
        self._serving: tuple[StandardScaler, Any] | None = None

    def forecast(self, bars: Bars) -> float | None:
        (found,) = self.forecast_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def forecast_each(self, bars: Bars, n: int) -> Floats:
        found = np.full(n, np.nan)
        if self._serving is None:
            return found
        scaler, model = self._serving
        x, at = self._inputs.newest(bars, n)
        if len(at):
            for i, row in zip(at, self._standard(scaler, x), strict=True):
                p = self._method.probability(model, row, self._inputs.names)
                found[i] = np.nan if p is None else min(max(p, 0.0), 1.0)
        return found

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        found = self._inputs.labelled(snapshot.bars[-self._past_bars :])
        new = int((found.ts > self._learned_until).sum())
        rows = TrainingRows(found.x, found.up, new, self._inputs.names)
        self.digests = {"features": digest(found.x, found.up)}
        if due := self._method.is_due(rows, snapshot.cycle, self._fitted):
            self._state, self._fitted = self._learned(rows), snapshot.cycle
            self._serve()
        self._learned_until = int(snapshot.bars["ts_open"][-1])
        return {"rows": float(len(found.up)), "new_rows": float(new), "fitted": float(due)}

    def _learned(self, rows: TrainingRows) -> dict[str, Any]:
        """Return the state after learning from rows; what forecasts is not touched."""
        scaler, model = self._restored() or (StandardScaler(), self._make())
        if self._standardise and self._method.anew:
            scaler.fit(rows.x)
        elif self._standardise:
            scaler.partial_fit(rows.x[len(rows.up) - rows.new :])
        self._method.learn(model, rows._replace(x=self._standard(scaler, rows.x)))
        return plain({"scaler": scaler, "model": model})

    def _serve(self) -> None:
        self._serving = self._restored()

    def _restored(self) -> tuple[StandardScaler, Any] | None:
        if self._state is None:
            return None
        found = restored(self._state, self._libraries)
        return found["scaler"], found["model"]

    def _standard(self, scaler: StandardScaler, x: Floats) -> Floats:
        if not self._standardise:
            return x
        found: Floats = scaler.transform(x).clip(-CLIP_SD, CLIP_SD)
        return found

    def state_dict(self) -> dict[str, Any]:
        return {
            "learned_until": self._learned_until,
            "fitted": self._fitted,
            "model": self._state,  # it is replaced, never changed
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learned_until, self._fitted = state["learned_until"], state["fitted"]
        self._state = state["model"]
        self._serve()

    def check(self) -> None:
        """Learn twice from rows that are made up, as it would in a session.

        Raises:
            ValueError: if it cannot, or the second time gives other bits.
        """
        rng = np.random.default_rng(0)
        names = self._inputs.names or tuple(f"x{i}" for i in range(3))
        x = rng.normal(size=(TRIED_ROWS, len(names)))
        rows = TrainingRows(x, x[:, 0] + rng.normal(size=TRIED_ROWS) > 0, TRIED_ROWS, names)
        states = [self._learned(rows) for _ in range(2)]
        if fault := not_plain(states[0]):
            raise ValueError(f"its state cannot be kept: {fault}")
        if digest(states[0]) != digest(states[1]):
            raise ValueError(
                "the same rows and seed give other bits the second time, so no replay would be"
                " possible; expected a seed or a setting that makes it deterministic"
            )
        model = restored(states[0], self._libraries)["model"]
        p = self._method.probability(model, x[0], names)
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"expected a probability from 0 to 1, got {p!r}")


def learner_of(entry: Entry, given: Mapping[str, Any], context: Context) -> EstimatorLearner:
    """Make the learner that an entry of one of these libraries names; see ``adapted``."""
    target = find(entry)
    with refusing(entry, "cannot be made"):
        known = known_parameters(target)
    settings, theirs = settings_of(entry, EstimatorSettings, given, known)
    arguments = arguments_of(entry.library, known, theirs, seed_of(entry, context))
    make = functools.partial(target, **arguments)
    with refusing(entry, "cannot be made"):
        method = method_of(entry.library, make(), settings.refit_cycles)
    return EstimatorLearner(
        entry.name,
        make,
        method,
        inputs_of(settings.features, context),
        {entry.library, target.__module__.partition(".")[0]},
        past_bars=settings.past_bars,
        standardise=settings.standardise,
    )

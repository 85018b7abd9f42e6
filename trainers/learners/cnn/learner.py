"""The CNN: forecasts from windows of bars whether a later close is higher. Lightning trains it."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datamodules.cnn_datamodule import CNNDataModule
from datamodules.digest import digest
from datamodules.features import COLUMNS, WARMUP_BARS, make_activity, make_features, raw_columns
from datamodules.labelled_rows import LabelledRows
from datamodules.plain import copied
from datamodules.snapshot import Snapshot
from datamodules.windows import FORECASTER_BARS, gap_free
from streaming.bars import Bars
from streaming.errors import ConfigError
from trainers.config.learners import CNNSettings
from trainers.config.pretraining.start import Start, read_start
from trainers.learners.cnn.forecaster import (
    EXPERTS,
    RECENT,
    STEADY,
    VIEW_ROWS,
    Forecaster,
    WindowNet,
    fit_distant,
    fitted_moments,
)
from trainers.learners.cnn.mixing import log_weights_after
from trainers.learners.cnn.module import CNNModule
from trainers.learners.cnn.rows import RowExperts, RowLearner, is_due
from trainers.learners.cnn.unlabelled import NONE, Unlabelled
from trainers.learners.learner import Context, Model
from trainers.learners.lightning import fit, seeded
from trainers.learners.linear import fit_from, fit_logistic
from trainers.learners.stacked import Question, Stackable

# The bars that the expert ``recent`` is fitted on: of 1-s bars 10 minutes, half of the time in
# which a market that has turned should be learned again.
RECENT_BARS = 600


def windows_of(bars: Bars) -> NDArray[np.float64]:
    """Return the raw columns of each run of 109 of ``bars``, ``(T,)``: ``(T - 108, 109, 16)``."""
    columns = raw_columns(bars)
    return np.lib.stride_tricks.sliding_window_view(columns, FORECASTER_BARS, axis=0).transpose(
        0, 2, 1
    )


class CNN(Stackable):
    """The learner; it forecasts with a copy of the network, never with the one being trained.

    Attributes:
        learning_rate: Adam step size, from the next training on.
        confidence: probability from which an exported model gives a signal, from the next
            training on.
        digests: hashes of the last training's inputs, by stage.
        epochs: the number of times that a window was drawn on average, over all cycles.
        serving: the model that forecasts; None before the first training.
    """

    name, kind = "cnn", "forecaster"
    adjustable = ("learning_rate", "confidence")

    def __init__(self, context: Context, settings: CNNSettings = CNNSettings()) -> None:
        super().__init__()
        self._settings, self._features = settings, context.features
        self._label, self._horizon = context.label, context.horizon
        self.learning_rate = settings.learning_rate
        self.confidence = context.confidence
        self.digests: dict[str, str] = {}
        self.epochs = 0.0
        self.serving: Forecaster | None = None
        self._served_from = 0  # open time of the newest bar that ``serving`` was trained on, ns
        self._distant_until = 0  # open time of the newest bar when ``distant`` was fitted, ns
        self._unlabelled = NONE  # what the experts said of moves that are not known yet
        net = seeded(functools.partial(WindowNet, context.features), context, self.name)
        self._module = CNNModule(
            net, learning_rate=self.learning_rate, weight_decay=settings.weight_decay
        )
        self._rows = RowLearner(context.features)
        self._start = _start_of(settings, context)

    def adjust(self, name: str, value: float) -> None:
        setattr(self, name, value)

    def question(self, bars: Bars) -> Question | None:
        if self.serving is None or not _is_enough(bars):
            return None
        return Question(self.serving, raw_columns(bars[-FORECASTER_BARS:]))

    def forecast(self, bars: Bars) -> float | None:
        if (question := self.question(bars)) is None:
            return None
        if (said := self.answered.get(question)) is not None:
            return float(said[0])
        return self._alone(question.raw)

    def _alone(self, raw: NDArray[np.float64]) -> float:
        """Return the probability of a rise after ``(109, 16)`` raw bars."""
        assert self.serving is not None
        # As ``predict``: NumPy makes the same features in a fifth of torch's time.
        rows = torch.from_numpy(make_features(raw, self._features)[None])
        activity = torch.from_numpy(make_activity(raw[-WARMUP_BARS - 1 :])[-1:])
        with torch.inference_mode():
            return float(self.serving.rise(rows, activity)[0])

    @staticmethod
    def predict(model: Model, bars: Bars) -> float | None:
        """Return a model's probability that the price at its horizon is higher.

        None if there are fewer than 109 bars, or a gap in them.
        """
        if not _is_enough(bars):
            return None
        raw = torch.from_numpy(raw_columns(bars[-FORECASTER_BARS:])[None])
        with torch.inference_mode():
            return float(model(raw)[0, 0])

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.float64]:
        found = np.full(n, np.nan)
        if self.serving is None:
            return found
        first = len(bars) - n - FORECASTER_BARS + 1  # the first bar that the oldest forecast takes
        bars = bars[max(0, first) :]
        whole = gap_free(bars["gap"][1:], FORECASTER_BARS - 1)
        at = np.flatnonzero(whole)
        if len(at):
            raw = torch.from_numpy(windows_of(bars)[at])
            with torch.inference_mode():
                found[at + n - len(whole)] = self.serving(raw)[:, 0].numpy()
        return found

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        settings, module = self._settings, self._module
        rng = snapshot.rng(self.name)
        data = CNNDataModule(
            snapshot,
            features=self._features,
            updates=settings.updates,
            batch_size=settings.batch_size,
            rng=rng,
            label=self._label,
            horizon=self._horizon,
        )
        if len(data.moved) == 0:
            return {"windows": 0.0}  # without a move there is nothing to learn from
        self.digests = {"features": digest(data.rows), "batches": digest(data.drawn)}
        self._weigh_experts(snapshot.bars)
        self._fit_experts(data, snapshot.bars)
        module.learning_rate = self.learning_rate
        fit(module, data, seed=int(rng.integers(2**63)))
        self._rows.learn(self._known_rows(data, snapshot.bars), rng)
        self.serving = Forecaster(
            copy.deepcopy(module.net),
            copy.deepcopy(self._rows.experts),
            data.scaler,
            features=self._features,
            confidence=self.confidence,
        ).eval()
        self._served_from = int(snapshot.bars["ts_open"][-1])
        return self._report(len(data.moved))

    def _weigh_experts(self, bars: Bars) -> None:
        """Update the expert weights by the forecasts whose labels have come since the last time."""
        if self.serving is None:
            return
        first = int(np.searchsorted(bars["ts_open"], self._served_from))  # its first forecast
        part = bars[max(0, first + 1 - FORECASTER_BARS) :]
        if len(part) <= FORECASTER_BARS:
            return
        whole = gap_free(part["gap"][:-1], FORECASTER_BARS)
        raw = windows_of(part[:-1])[whole]
        with torch.inference_mode():
            said = self.serving.experts(torch.from_numpy(raw)).numpy()
        new = Unlabelled(part["ts_open"][FORECASTER_BARS - 1 : -1][whole], said)
        said, up, self._unlabelled = self._unlabelled.then(new).labelled(
            bars, self._label, self._horizon
        )
        net = self._module.net
        weights = log_weights_after(net.log_weights.numpy(), said, up)
        net.log_weights.copy_(torch.from_numpy(weights))

    def _fit_experts(self, data: CNNDataModule, bars: Bars) -> None:
        """Fit the moments, the linear experts and what is further back on the snapshot."""
        net = self._module.net
        seen, up = fitted_moments(net, data)
        at = data.windows.at[data.moved]
        since = {RECENT: len(data.rows) - RECENT_BARS, STEADY: 0}
        for expert, oldest in since.items():
            x, rose = seen[at >= oldest], up[at >= oldest]
            if expert == STEADY and (start := self._start):
                found, _ = fit_from(x, rose, np.array(start.mean), np.array(start.spread))
                weights, bias = found[:-1], float(found[-1])
            else:
                weights, bias = fit_logistic(x, rose) or (np.zeros(seen.shape[1]), 0.0)
            net.weights[expert] = torch.from_numpy(weights)
            net.bias[expert] = bias
        if is_due(bars["ts_open"][WARMUP_BARS + at], self._distant_until):
            steady = seen @ net.weights[STEADY].double().numpy() + float(net.bias[STEADY])
            fit_distant(net, data, steady)
            self._distant_until = int(bars["ts_open"][-1])

    def _known_rows(self, data: CNNDataModule, bars: Bars) -> LabelledRows:
        """Return the last row of each window, its features as they are and the activity."""
        at, up = data.windows.at[data.moved], data.windows.up[data.moved] > 0
        rows = np.concatenate([data.features, make_activity(raw_columns(bars))], 1)
        return LabelledRows(rows[at], up, bars["ts_open"][WARMUP_BARS + at + self._horizon])

    def _report(self, windows: int) -> dict[str, float]:
        """Return the cycle's metrics; loss and accuracy are those of the training windows."""
        loss, hits, drawn = self._module.sums.tolist()
        self.epochs += drawn / windows
        weights = torch.softmax(self._module.net.log_weights, 0).tolist()
        return {
            "loss": loss / drawn,
            "accuracy": hits / drawn,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "windows": float(windows),
            **{f"weight_{expert}": share for expert, share in zip(EXPERTS, weights, strict=True)},
        }

    def export(self) -> tuple[nn.Module, int] | None:
        """Return the model that forecasts and the number of raw bars that it takes, if any."""
        return None if self.serving is None else (self.serving, FORECASTER_BARS)

    def state_dict(self) -> dict[str, Any]:
        return {
            "module": copied(self._module.state_dict()),
            "rows": self._rows.state_dict(),
            "initial": copied(self._module.initial),
            "optimizer": copied(self._module.optimizer_state),
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "confidence": self.confidence,
            "serving": None if self.serving is None else copied(self.serving.state_dict()),
            "serving_confidence": None if self.serving is None else self.serving.confidence,
            "served_from": self._served_from,
            "distant_until": self._distant_until,
            # The next bar brings all labels: at horizon 1 none waits.
            **({"unlabelled": self._unlabelled._asdict()} if self._horizon > 1 else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not {"rows", "distant_until"} <= state.keys():
            raise ValueError(
                f"expected the state of {len(EXPERTS)} experts, got that of an earlier version of"
                " the CNN; begin a new session"
            )
        self._module.load_state_dict(state["module"])
        self._rows.load_state_dict(state["rows"])
        self._module.initial = copied(state["initial"])
        self._module.optimizer_state = copied(state["optimizer"])
        self.epochs = state["epochs"]
        self.learning_rate, self.confidence = state["learning_rate"], state["confidence"]
        self.serving = None
        if state["serving"] is not None:
            features = self._features
            self.serving = Forecaster(
                WindowNet(features),
                RowExperts(features),
                None,
                features=features,
                confidence=state["serving_confidence"],
            ).eval()
            self.serving.load_state_dict(state["serving"])
        self._served_from = state["served_from"]
        self._distant_until = state["distant_until"]
        self._unlabelled = Unlabelled(**state["unlabelled"]) if self._horizon > 1 else NONE


def _start_of(settings: CNNSettings, context: Context) -> Start | None:
    if not settings.start:
        return None
    same = {name: getattr(context, name) for name in ("features", "label", "horizon")}
    start, n = read_start(settings.start, **same), len(COLUMNS[context.features]) + VIEW_ROWS + 1
    if len(start.mean) != n:
        raise ConfigError(
            f"cnn_start: got a file of {len(start.mean)} weights; expected {n}: make another by"
            " -e pretrain"
        )
    return start


def _is_enough(bars: Bars) -> bool:
    """Return whether there are 109 bars without a gap in them."""
    return len(bars) >= FORECASTER_BARS and not bars["gap"][1 - FORECASTER_BARS :].any()

"""The CNN: will the next close be higher? Fed by windows, fitted by Lightning."""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.cnn_datamodule import Batch, CNNDataModule
from datamodules.features import COLUMNS, raw_columns
from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.config import SessionConfig
from trainers.learners.lightning import ContinualModule, fit, seeded
from trainers.learners.networks import FORECASTER_BARS, Forecaster, WindowNet


class CNNModule(ContinualModule):
    """Binary cross-entropy on the windows that moved.

    Args:
        net: ``(B, 60, F)`` -> logits ``(B,)``.
        learning_rate: AdamW step size.
        weight_decay: AdamW weight decay.
    """

    def __init__(self, net: WindowNet, *, learning_rate: float, weight_decay: float) -> None:
        super().__init__()
        self.automatic_optimization = False  # one step of Lightning makes several updates
        self.net = net
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.epochs = 0  # passes made in all cycles
        self._sums = torch.zeros(3)  # of the running epoch: loss, hits, windows

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def on_train_epoch_start(self) -> None:
        self._sums.zero_()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        for x, up in batch:
            logits = self(x)  # (B,)
            loss = F.binary_cross_entropy_with_logits(logits, up)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation here
            optimizer.step()
            hits = ((logits.detach() > 0) == (up > 0)).sum()
            self._sums += torch.stack([loss.detach() * len(up), hits, torch.tensor(len(up))])

    def on_train_epoch_end(self) -> None:
        self.epochs += 1

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
        )

    def report(self) -> dict[str, float]:
        """Return what the last epoch came to; accuracy on the very windows trained on."""
        loss, hits, n = self._sums.tolist()
        return {
            "loss": loss / n,
            "accuracy": hits / n,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "windows": n,
        }


class CNN:
    """The learner around ``CNNModule``; the version that forecasts is never the one trained."""

    name, kind = "cnn", "forecaster"

    def __init__(self, config: SessionConfig) -> None:
        self._config = config
        self.learning_rate = config.cnn_learning_rate
        self.serving: Forecaster | None = None
        net = seeded(
            functools.partial(WindowNet, len(COLUMNS[config.features])), config.seed, self.name
        )
        self._module = CNNModule(
            net, learning_rate=self.learning_rate, weight_decay=config.cnn_weight_decay
        )

    def forecast(self, bars: Bars) -> float | None:
        if self.serving is None or len(bars) < FORECASTER_BARS:
            return None
        if bars["gap"][1 - FORECASTER_BARS :].any():
            return None
        raw = torch.from_numpy(raw_columns(bars[-FORECASTER_BARS:])[None])
        with torch.inference_mode():
            return float(self.serving(raw)[0, 0])

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        config = self._config
        rng = snapshot.rng(self.name)
        data = CNNDataModule(
            snapshot, features=config.features, batch_size=config.cnn_batch_size, rng=rng
        )
        if data.windows.flat.all():
            return {"windows": 0.0}  # nothing moved: nothing to learn from
        module = self._module
        module.learning_rate = self.learning_rate
        module.net.fit_moments(data.rows)
        fit(module, data, seed=int(rng.integers(2**63)), epochs=config.cnn_epochs)
        self.serving = Forecaster(
            copy.deepcopy(module.net),
            data.scaler,
            features=config.features,
            confidence=config.confidence,
        ).eval()
        return module.report()

    def export(self) -> tuple[nn.Module, int] | None:
        """Return the serving version and how many raw bars it takes, if there is one."""
        return None if self.serving is None else (self.serving, FORECASTER_BARS)

    def state_dict(self) -> dict[str, Any]:
        return {
            "module": copy.deepcopy(self._module.state_dict()),
            "optimizer": copy.deepcopy(self._module.optimizer_state),
            "epochs": self._module.epochs,
            "learning_rate": self.learning_rate,
            "serving": copy.deepcopy(self.serving),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._module.load_state_dict(state["module"])
        self._module.optimizer_state = copy.deepcopy(state["optimizer"])
        self._module.epochs = state["epochs"]
        self.learning_rate = state["learning_rate"]
        self.serving = copy.deepcopy(state["serving"])

"""A learner made of a PyTorch or Lightning module of the user.

    bars -> rows -> standardised -> module -> logit

The module takes rows ``(B, F)`` float32 and returns logits of a rise, ``(B,)``, ``(B, 1)`` or, of
both classes, ``(B, 2)``. A constructor's first parameter, if it has no default, is given F. A
LightningModule is trained by its own ``training_step``, on ``(x, y)`` with ``y`` ``(B,)`` float32
1 where the price rose, and its own optimiser; any other module by cross-entropy with Adam.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.digest import digest
from datamodules.plain import copied
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from streaming.bars import Bars
from trainers.config.entries import Entry
from trainers.learners.adapters.inputs import Inputs, inputs_of
from trainers.learners.adapters.settings import TorchSettings
from trainers.learners.adapters.wrapped import arguments_in, find, refusing, settings_of
from trainers.learners.learner import Context
from trainers.learners.lightning import ContinualModule, fit, seeded
from trainers.learners.linear import CLIP_SD, FEWEST_ROWS
from trainers.names import LearnerKind

Floats = NDArray[np.float64]


class Direction(ContinualModule):
    """A user's module, trained from cycle to cycle.

    Args:
        net: the module.
        learning_rate: Adam step size, where it has no optimiser of its own.
    """

    def __init__(self, net: nn.Module, learning_rate: float) -> None:
        super().__init__()
        self.net, self._learning_rate = net, learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Any:
        if isinstance(self.net, pl.LightningModule):
            return self.net.training_step(batch, batch_idx)
        x, y = batch
        return F.binary_cross_entropy_with_logits(logits_of(self.net(x)), y)

    def make_optimizer(self) -> torch.optim.Optimizer:
        if not isinstance(self.net, pl.LightningModule):
            return torch.optim.Adam(self.net.parameters(), lr=self._learning_rate)
        found = self.net.configure_optimizers()
        if not isinstance(found, torch.optim.Optimizer):
            raise TypeError(f"configure_optimizers: expected one optimiser, got {found!r}")
        return found


class Drawn(pl.LightningDataModule):
    """The minibatches of a cycle, already drawn."""

    def __init__(self, batches: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._batches = batches

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._batches, batch_size=None)  # type: ignore[arg-type]  # a list will do


class TorchLearner:
    """A learner that forecasts with a copy of a module, never with the one being trained.

    Args:
        name: the learner's name.
        make: makes the module, given the number of columns.
        inputs: what it sees.
        settings: the adapter's settings.
        context: the part of the session's settings that all learners may use.

    Attributes:
        digests: hashes of the last training's inputs, by stage.
    """

    kind = LearnerKind.FORECASTER.value

    def __init__(
        self,
        name: str,
        make: Callable[[int], nn.Module],
        inputs: Inputs,
        settings: TorchSettings,
        context: Context,
    ) -> None:
        self.name, self.digests = name, dict[str, str]()
        self._make, self._inputs, self._settings = make, inputs, settings
        self._context = context
        self._module: Direction | None = None  # once the number of columns is known
        self._moments = np.zeros((2, 0))
        self._serving: nn.Module | None = None
        if inputs.names:
            self._module = self._made(len(inputs.names))

    def _made(self, columns: int) -> Direction:
        net = seeded(functools.partial(self._make, columns), self._context, self.name)
        with torch.inference_mode():
            logits_of(net.eval()(torch.zeros(2, columns)))
        return Direction(net, self._settings.learning_rate)

    def forecast(self, bars: Bars) -> float | None:
        (found,) = self.forecast_each(bars, 1)
        return None if np.isnan(found) else float(found)

    def forecast_each(self, bars: Bars, n: int) -> Floats:
        found = np.full(n, np.nan)
        if self._serving is None:
            return found
        x, at = self._inputs.newest(bars, n)
        with torch.inference_mode():
            for i, row in zip(at, self._standard(x) if len(at) else [], strict=True):
                # Alone: a product of matrices has an order of its own for each size of a batch.
                found[i] = float(torch.sigmoid(logits_of(self._serving(row[None])))[0])
        return found

    def _standard(self, x: Floats) -> Tensor:
        mean, deviation = self._moments
        scaled = ((x - mean) / deviation).clip(-CLIP_SD, CLIP_SD)
        return torch.from_numpy(scaled.astype(np.float32))

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        found = self._inputs.labelled(snapshot.bars[-self._settings.past_bars :])
        if len(found.up) == 0:
            return {"rows": 0.0}  # without a move there is nothing to learn from
        if len(found.up) < FEWEST_ROWS:
            raise NotEnoughBarsError(len(found.up), FEWEST_ROWS, "bars with a move")
        deviation = found.x.std(axis=0)
        self._moments = np.stack([found.x.mean(axis=0), np.where(deviation > 0, deviation, 1.0)])
        rng, settings = snapshot.rng(self.name), self._settings
        drawn = rng.integers(0, len(found.up), (settings.updates, settings.batch_size))
        self.digests = {"features": digest(found.x, found.up), "batches": digest(drawn)}
        x, y = self._standard(found.x), torch.from_numpy(found.up.astype(np.float32))
        module = self._module = self._module or self._made(found.x.shape[1])
        fit(module, Drawn([(x[at], y[at]) for at in drawn]), seed=int(rng.integers(2**63)))
        self._serving = copy.deepcopy(module.net).eval()
        return {"rows": float(len(found.up)), "updates": float(settings.updates)}

    def state_dict(self) -> dict[str, Any]:
        module, serving = self._module, self._serving
        return {
            "columns": self._moments.shape[1],
            "moments": self._moments.copy(),
            "module": None if module is None else copied(module.state_dict()),
            "optimizer": None if module is None else copied(module.optimizer_state),
            "serving": None if serving is None else copied(serving.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = copied(state)
        self._moments, self._serving = state["moments"], None
        if state["module"] is None:
            return
        module = self._module = self._module or self._made(state["columns"])
        module.load_state_dict(state["module"])
        module.optimizer_state = state["optimizer"]
        if state["serving"] is not None:
            self._serving = copy.deepcopy(module.net).eval()
            self._serving.load_state_dict(state["serving"])


def logits_of(found: Tensor) -> Tensor:
    """Return the logits of a rise ``(B,)``, given a module's output.

    Raises:
        ValueError: if it has another shape.
    """
    if found.ndim == 2 and found.shape[1] == 2:
        return found[:, 1] - found[:, 0]
    if found.ndim == 1 or (found.ndim == 2 and found.shape[1] == 1):
        return found.reshape(-1)
    raise ValueError(f"expected logits (B,), (B, 1) or (B, 2); got {tuple(found.shape)}")


def learner_of(entry: Entry, given: Mapping[str, Any], context: Context) -> TorchLearner:
    """Make the learner that an entry names; see ``adapted``."""
    target = find(entry)
    with refusing(entry, "cannot be made"):
        parameters = inspect.signature(target).parameters.values()
        names = [each.name for each in parameters]
        of_columns = next((each.name for each in parameters if each.default is each.empty), None)
    known = dict.fromkeys(name for name in names if name != of_columns)
    settings, theirs = settings_of(entry, TorchSettings, given, known)
    arguments = arguments_in(theirs)

    def make(columns: int) -> nn.Module:
        first = {} if of_columns is None else {of_columns: columns}
        found = target(**first, **arguments)
        if not isinstance(found, nn.Module):
            raise TypeError(f"expected a torch.nn.Module, got {found!r}")
        return found

    with refusing(entry, "cannot be made"):
        inputs = inputs_of(settings.features, context)
        return TorchLearner(entry.name, make, inputs, settings, context)

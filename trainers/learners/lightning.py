"""Continual training with Lightning: one ``Trainer.fit`` per cycle; the optimiser's state lasts.

All fits of a process share one ``Trainer``: to make one takes a tenth of a cycle's CPU, as
Lightning looks through all installed packages for callbacks. It calls ``configure_optimizers`` at
every fit, so the optimiser's state is carried over there.
"""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from datamodules.snapshot import entropy
from trainers.learners.learner import Context

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

# Batches are gathered by index in one step; worker processes would cost more.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
warnings.filterwarnings("ignore", ".*`IterableDataset` has `__len__` defined.*")


class ContinualModule(pl.LightningModule):
    """A module whose optimiser keeps its state from fit to fit.

    Attributes:
        optimizer_state: the optimiser's state after the last fit; None before the first.
    """

    optimizer_state: dict[str, Any] | None = None

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Return a new optimiser of the trained weights."""
        raise NotImplementedError

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.make_optimizer()
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
            for group in optimizer.param_groups:  # an operator may have changed the step size
                group["lr"] = optimizer.defaults["lr"]
        return optimizer

    def on_fit_end(self) -> None:
        self.optimizer_state = self.trainer.optimizers[0].state_dict()


def fit(
    module: ContinualModule, data: pl.LightningDataModule, *, seed: int, epochs: int = 1
) -> None:
    """Train a module in place.

    Args:
        module: the module; afterwards it is in eval mode.
        data: the batches.
        seed: the seed of torch's random numbers (dropout) in this fit; torch's global generator
            is left unchanged.
        epochs: the number of passes over the data.
    """
    trainer = _trainer()
    trainer.fit_loop.max_epochs = epochs
    trainer.fit_loop.epoch_progress.reset()  # else it is at its limit after the first fit
    module.train()
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)  # torch's own also writes a traceback for CUDA
        try:
            trainer.fit(module, datamodule=data)
        except BaseException:
            _trainer.cache_clear()  # who knows in what state this one is
            raise
    module.eval()
    module.trainer = None  # or a copy of the module would copy the trainer


@functools.cache
def _trainer() -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        barebones=True,
        plugins=[LightningEnvironment()],  # not that of a cluster whose variables the shell has
    )


Made = TypeVar("Made", bound=nn.Module)


def seeded(make: Callable[[], Made], context: Context, learner: str) -> Made:
    """Return ``make()``, its weights drawn from the seed (seed, market, learner).

    Torch's global generator is left unchanged.
    """
    # Torch uses only 32 bits of a seed: mix all of them, so that different seeds stay different.
    sequence = np.random.SeedSequence(entropy(context.seed, context.market, learner))
    mixed = sequence.generate_state(1)[0]
    with torch.random.fork_rng():
        torch.manual_seed(int(mixed))
        return make()

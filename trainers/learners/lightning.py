"""One ``Trainer.fit`` a cycle, with weights, optimiser and counters that live on.

A new ``Trainer`` each time: a used one has its epoch counter at the limit and trains nothing.
``configure_optimizers`` runs at every fit, so the optimiser's state is handed over here.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from datamodules.snapshot import entropy
from trainers.learners.learner import Context

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

# Batches are gathered by index in one go; loading them in worker processes would cost more.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
warnings.filterwarnings("ignore", ".*`IterableDataset` has `__len__` defined.*")


class ContinualModule(pl.LightningModule):
    """A module whose optimiser outlives the fit."""

    optimizer_state: dict[str, Any] | None = None

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Return a new optimiser of the trained weights."""
        raise NotImplementedError

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.make_optimizer()
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
            for group in optimizer.param_groups:  # the step size is a setting of this cycle
                group["lr"] = optimizer.defaults["lr"]
        return optimizer

    def on_fit_end(self) -> None:
        self.optimizer_state = self.trainer.optimizers[0].state_dict()


def fit(
    module: ContinualModule, data: pl.LightningDataModule, *, seed: int, epochs: int = 1
) -> None:
    """Train ``module`` in place for ``epochs`` passes over ``data``.

    ``seed`` decides what torch draws (dropout); its generator is left as it was.
    """
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        barebones=True,
    )
    module.train()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trainer.fit(module, datamodule=data)
    module.eval()
    module.trainer = None  # a copy of the module must not copy it


Made = TypeVar("Made", bound=nn.Module)


def seeded(make: Callable[[], Made], context: Context, learner: str) -> Made:
    """Return ``make()`` with weights of (seed, market, learner); torch's generator is kept."""
    # torch takes 32 bits of its seed: mix them, so that no two seeds share those.
    sequence = np.random.SeedSequence(entropy(context.seed, context.market, learner))
    mixed = sequence.generate_state(1)[0]
    with torch.random.fork_rng():
        torch.manual_seed(int(mixed))
        return make()

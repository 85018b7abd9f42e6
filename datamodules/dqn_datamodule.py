"""Experiences of a snapshot, and the replay buffer's as stacks of minibatches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from datamodules.features import WARMUP
from datamodules.replay_buffer import ReplayBuffer
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import LENGTH, Transitions, make_transitions

Batch = tuple[Tensor, Tensor, Tensor]  # (K, B, D) states, (K, B, D) after, (K, B) returns

NEEDED = WARMUP + LENGTH + 2

# Updates a Lightning step: its bookkeeping costs more than an update of a small network.
STACK = 50


def transitions_of(snapshot: Snapshot) -> Transitions:
    """Return the experiences of a snapshot.

    Raises:
        NotEnoughBarsError: if its bars are too few for one.
    """
    if len(snapshot.bars) < NEEDED:
        raise NotEnoughBarsError(len(snapshot.bars), NEEDED)
    return make_transitions(snapshot.bars)


class DQNDataModule(pl.LightningDataModule):
    """Draw ``updates`` minibatches from the replay buffer.

    Args:
        memory: not empty.
        updates: minibatches to draw.
        batch_size: experiences a minibatch.
        rng: source of the draws.
    """

    def __init__(
        self, memory: ReplayBuffer, *, updates: int, batch_size: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._batches = _Stacks(memory, updates, batch_size, rng)

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(self._batches, batch_size=None)


class _Stacks(IterableDataset[Batch]):
    def __init__(
        self, memory: ReplayBuffer, updates: int, batch_size: int, rng: np.random.Generator
    ) -> None:
        self._memory, self._updates = memory, updates
        self._batch_size, self._rng = batch_size, rng

    def __len__(self) -> int:
        return -(-self._updates // STACK)

    def __iter__(self) -> Iterator[Batch]:
        for done in range(0, self._updates, STACK):
            shape = (min(STACK, self._updates - done), self._batch_size)
            state, after, ret = map(torch.from_numpy, self._memory.sample(self._rng, shape))
            yield state, after, ret

"""Experiences of a snapshot, added to the replay buffer, as stacks of minibatches."""

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

Batch = tuple[Tensor, Tensor]  # (K, B, 11, 3) float64 rows, (K, B) float32 returns in bp

NEEDED = WARMUP + LENGTH + 2

# Updates a Lightning step: its bookkeeping costs more than an update of a small network.
STACK = 50


class DQNDataModule(pl.LightningDataModule):
    """Fill the buffer from one snapshot, then draw ``updates`` minibatches from it.

    Args:
        snapshot: what is known at the cut.
        memory: replay buffer that lives on from cycle to cycle.
        updates: minibatches to draw.
        batch_size: experiences a minibatch.
        rng: source of the draws.

    Raises:
        NotEnoughBarsError: if the snapshot has no whole experience.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        memory: ReplayBuffer,
        updates: int,
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        if len(snapshot.bars) < NEEDED:
            raise NotEnoughBarsError(len(snapshot.bars), NEEDED)
        self.transitions: Transitions = make_transitions(snapshot.bars)
        memory.add(self.transitions)
        if len(memory) == 0:  # gaps have cut all of them out
            raise NotEnoughBarsError(0, 1, "experiences without a gap")
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
            rows, ret = self._memory.sample(self._rng, shape)
            yield torch.from_numpy(rows), torch.from_numpy(ret.astype(np.float32))

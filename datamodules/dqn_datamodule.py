"""Transitions of a snapshot, and minibatches of those in the replay buffer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from datamodules.features import WARMUP_BARS
from datamodules.replay_buffer import ReplayBuffer
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import STATE_BARS, Transitions, make_transitions

Batch = tuple[Tensor, Tensor, Tensor]  # (K, B, D) states, (K, B, D) after, (K, B) returns

NEEDED = WARMUP_BARS + STATE_BARS + 2

# Updates in one Lightning step, whose bookkeeping costs more than an update of a small network.
STACK = 50


def transitions_of(snapshot: Snapshot) -> Transitions:
    """Return the transitions of a snapshot.

    Raises:
        NotEnoughBarsError: if it has fewer bars than one transition needs.
    """
    if len(snapshot.bars) < NEEDED:
        raise NotEnoughBarsError(len(snapshot.bars), NEEDED)
    return make_transitions(snapshot.bars)


class DQNDataModule(pl.LightningDataModule):
    """Draw ``updates`` minibatches from the replay buffer.

    Args:
        buffer: holds the transitions; it must not be empty.
        updates: how many minibatches to draw.
        batch_size: how many transitions a minibatch has.
        rng: source of the draws.

    Attributes:
        drawn: ``(updates, batch_size)`` int64, the transitions of each minibatch.
    """

    def __init__(
        self, buffer: ReplayBuffer, *, updates: int, batch_size: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._buffer = buffer
        self.drawn = buffer.draw(rng, (updates, batch_size))

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(_Stacks(self._buffer, self.drawn), batch_size=None)


class _Stacks(IterableDataset[Batch]):
    def __init__(self, buffer: ReplayBuffer, drawn: NDArray[np.int64]) -> None:
        self._buffer, self._drawn = buffer, drawn

    def __len__(self) -> int:
        return -(-len(self._drawn) // STACK)

    def __iter__(self) -> Iterator[Batch]:
        for done in range(0, len(self._drawn), STACK):
            chosen = self._buffer.take(self._drawn[done : done + STACK])
            state, after, ret = map(torch.from_numpy, chosen)
            yield state, after, ret

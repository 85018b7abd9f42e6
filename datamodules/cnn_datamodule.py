"""Windows of a snapshot as stacks of shuffled minibatches for the CNN."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from datamodules.features import WARMUP, features_of
from datamodules.scaling import fit_scaler, scale
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.windows import LENGTH, Windows, make_windows

# Minibatches of one Lightning step: (B, 60, F) float32, (B,) float32 0 or 1. Its bookkeeping costs
# about a fifth of an update of a small network.
Batch = list[tuple[Tensor, Tensor]]
STACK = 8

NEEDED = WARMUP + LENGTH + 1


class CNNDataModule(pl.LightningDataModule):
    """Scale, cut and batch one snapshot; each epoch is a new permutation.

    Args:
        snapshot: what is known at the cut.
        features: name of the feature set.
        batch_size: windows a batch.
        rng: source of the permutations.

    Raises:
        NotEnoughBarsError: if the snapshot has no whole window with a label.
    """

    def __init__(
        self, snapshot: Snapshot, *, features: str, batch_size: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        bars = snapshot.bars
        if len(bars) < NEEDED:
            raise NotEnoughBarsError(len(bars), NEEDED)
        rows = features_of(bars, features)
        self.scaler: MinMaxScaler = fit_scaler(rows)
        scaled = scale(rows, self.scaler)
        self.rows = torch.from_numpy(scaled)  # (N, F)
        self.windows: Windows = make_windows(scaled, bars["close"][WARMUP:], bars["gap"][WARMUP:])
        self._batches = _Batches(self.windows, batch_size, rng)

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(self._batches, batch_size=None)


class _Batches(IterableDataset[Batch]):
    """Whole batches by one gather each; flat windows teach nothing and are left out."""

    def __init__(self, windows: Windows, batch_size: int, rng: np.random.Generator) -> None:
        self._x = windows.x
        self._up = torch.from_numpy(windows.up)
        self._moved = np.flatnonzero(~windows.flat)
        self._batch_size, self._rng = batch_size, rng

    def __len__(self) -> int:
        return -(-len(self._moved) // (self._batch_size * STACK))

    def __iter__(self) -> Iterator[Batch]:
        order = self._rng.permutation(self._moved)
        minibatches = (
            order[start : start + self._batch_size]
            for start in range(0, len(order), self._batch_size)
        )
        while stack := list(itertools.islice(minibatches, STACK)):
            yield [
                (torch.from_numpy(self._x[chosen]), self._up[torch.from_numpy(chosen)])
                for chosen in stack
            ]

"""Windows of a snapshot as stacks of shuffled minibatches for the CNN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from datamodules.features import WARMUP_BARS, features_of
from datamodules.labels import label_prices
from datamodules.scaling import fit_scaler, scale
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.target import CLOSE
from datamodules.windows import WINDOW_BARS, Windows, gaps_of, make_windows
from streaming.bars import BROKEN

# The minibatches of one Lightning step: (B, 60, F) float32 and (B,) float32, 0 or 1.
Batch = list[tuple[Tensor, Tensor]]

# Minibatches in one Lightning step, whose bookkeeping costs about a fifth of an update of a small
# network.
STACK = 8

NEEDED = WARMUP_BARS + WINDOW_BARS  # bars, and the horizon


class CNNDataModule(pl.LightningDataModule):
    """Scale one snapshot, make windows of it, and draw ``updates`` minibatches from all of them.

    Attributes:
        features: ``(N, F)`` float64, as they are.
        rows: ``(N, F)`` float32, scaled.
        windows: all windows of the snapshot, the flat ones too.
        moved: ``(M,)`` int64, the windows to learn from; a flat one teaches no direction.
        drawn: ``(updates, batch_size)`` int64, the windows of each minibatch; empty if none moved.

    Args:
        snapshot: the bars that are known when the cycle trains.
        features: name of the feature set, a key of ``features.COLUMNS``.
        updates: how many minibatches to draw.
        batch_size: how many windows a minibatch has.
        rng: source of the draws.
        label: the price whose move is the label.
        horizon: how many bars ahead the label is.

    Raises:
        NotEnoughBarsError: if the snapshot has fewer bars than a window with its label needs.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        features: str,
        updates: int,
        batch_size: int,
        rng: np.random.Generator,
        label: str = CLOSE,
        horizon: int = 1,
    ) -> None:
        super().__init__()
        bars = snapshot.bars
        if len(bars) < NEEDED + horizon:
            raise NotEnoughBarsError(len(bars), NEEDED + horizon)
        rows: NDArray[np.float64] = features_of(bars, features)
        gap = gaps_of(bars, WARMUP_BARS)[WARMUP_BARS:]
        sound = (gap & BROKEN) == 0  # or one wrong print would press all other rows together
        self.scaler: MinMaxScaler = fit_scaler(rows[sound] if sound.any() else rows)
        self.features, self.rows = rows, scale(rows, self.scaler)
        self.windows: Windows = make_windows(
            self.rows, label_prices(bars, label)[WARMUP_BARS:], gap, horizon
        )
        self.moved = np.flatnonzero(~self.windows.flat)
        shape = (updates if len(self.moved) else 0, batch_size)
        self.drawn: NDArray[np.int64] = rng.choice(self.moved, shape)

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(_Batches(self.windows, self.drawn), batch_size=None)


class _Batches(IterableDataset[Batch]):
    """Stacks of minibatches, each of which is one gather of the windows drawn for it."""

    def __init__(self, windows: Windows, drawn: NDArray[np.int64]) -> None:
        self._windows, self._drawn = windows, drawn

    def __len__(self) -> int:
        return -(-len(self._drawn) // STACK)

    def __iter__(self) -> Iterator[Batch]:
        x, up = self._windows.x, self._windows.up
        for done in range(0, len(self._drawn), STACK):
            yield [
                (torch.from_numpy(x[chosen]), torch.from_numpy(up[chosen]))
                for chosen in self._drawn[done : done + STACK]
            ]

"""What a user gives an adapter: modules, rows from bars, a pipeline, and some that do not work."""

from __future__ import annotations

import random

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from river import linear_model, preprocessing
from torch import nn


class Net(nn.Module):
    """A network with dropout, so that torch's generator matters."""

    def __init__(self, columns, hidden=4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, hidden), nn.Tanh(), nn.Dropout(0.2), nn.Linear(hidden, 1)
        )

    def forward(self, x):
        return self.layers(x)


class Lit(pl.LightningModule):
    """A LightningModule with a training step and an optimiser of its own."""

    def __init__(self, columns, hidden=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y.long())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class ThreeClasses(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.layer = nn.Linear(columns, 3)

    def forward(self, x):
        return self.layer(x)


def last_moves(bars):
    """Rows (T, 2): the last two moves, 0 where they are not known."""
    moves = np.sign(np.diff(bars["close"], prepend=bars["close"][:1]))
    return np.stack([moves, np.concatenate([[0.0], moves[:-1]])], axis=1)


def next_moves(bars):
    """Rows that know the next bar."""
    moves = np.diff(bars["close"], append=bars["close"][-1:])
    return moves[:, None]


def scaled(l2=0.0):
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(l2=l2)


class Moody:
    """A classifier that draws from no seed."""

    def fit(self, x, y):
        self.weight = random.Random().random()
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, x):
        return np.tile([1 - self.weight, self.weight], (len(x), 1))

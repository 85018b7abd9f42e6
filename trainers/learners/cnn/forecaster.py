"""The networks of the CNN. Shapes: B batch, T bars, F features.

A forecast is a mixture of six experts (``EXPERTS``), weighted by their past forecasts
(``trainers.learners.cnn.mixing``):

    prior    what is known before anything is learned: the queues at the best bid and ask, where
             the features have them, else one half
    recent   linear in the newest bars, fitted on the last 600: follows a market that turns
    steady   the same, fitted on the whole history: best while the market does not change
    deep     steady plus what the moves further back add, linear in their signs, plus the output
             of a convolution over the whole window
    online   linear in the newest row, learned row by row (``trainers.learners.cnn.rows``)
    forest   boosted trees on the newest row and on how busy the market is

An hour of 1-s bars supports few weights (the excess log-loss is about weights / 2N): hence linear
experts with a ridge penalty, and a convolution whose weight in the mixture has to be earned.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor, nn

from datamodules.cnn_datamodule import CNNDataModule
from datamodules.features import COLUMNS, WARMUP_BARS, make_activity, make_features
from datamodules.scaling import HIGHEST, LOWEST
from datamodules.windows import WINDOW_BARS
from trainers.learners import layers
from trainers.learners.cnn.rows import RowExperts
from trainers.learners.linear import step_from

WINDOW_EXPERTS = ("recent", "steady", "deep")
EXPERTS = ("prior", *WINDOW_EXPERTS, "online", "forest")

# The longer queue at the best bid or ask is likely to outlast the other: the mid moves up next with
# about the bid's share of both sizes. Kept between 0.1 and 0.9, as trades come in between.
# Source: M. Gould and J. Bonart, Queue imbalance as a one-tick-ahead price predictor in a limit
# order book (2016).
QUEUE, TRUST = "book_imbalance", 0.8
RECENT, STEADY = 0, 1  # rows of the linear weights
DEEP = WINDOW_EXPERTS.index("deep")

# Weights before any forecast was scored, against 1 of the others: a convolution is slow to learn.
AT_FIRST = {"deep": 0.1}

# The number of newest rows that a linear expert uses: all features of the newest row, of the others
# only the move, with weights that fade; and whether the two newest moves agree.
VIEW_ROWS = 7
FADING = tuple(0.5 * 0.7**lag for lag in range(VIEW_ROWS - 1))
STEEP = 10.0  # a move of a tenth of a standard deviation has its whole sign, a flat one hardly any
# How far from 0 the weight of the sign of a move further back is expected. There are 53 of them: so
# narrow that some thousand moves are needed until one has half of its weight.
DISTANT_SD = 0.06
MOVES = {"classic": "close", "flow": "return", "book": "return"}

CLIP_SD = 4.0  # standard deviations at which a feature is clipped
SMALL = 1e-6  # the lowest standard deviation: a feature that hardly moves must not be blown up


class WindowNet(nn.Module):
    """The experts of windows: ``(B, 60, F)`` scaled windows -> ``(B, 3)`` logits of a rise.

    The moments and the linear weights are buffers: each cycle fits them exactly, without gradient
    steps. The convolution's head and ``distant`` start at 0, so that ``deep`` begins as ``steady``.

    Args:
        features: name of the feature set.
        channels: the channels of both convolutions.
        dropout: the share of the convolutions' outputs that is dropped in training.

    Attributes:
        mean: ``(F,)`` the features' means.
        deviation: ``(F,)`` the features' standard deviations.
        fading: ``(6,)`` the weights of the earlier moves, newest first.
        weights: ``(2, F + 7)`` the weights of the linear experts ``recent`` and ``steady``.
        bias: ``(2,)`` their biases.
        distant: ``(1, 53)`` the weights of the signs of the moves further back, oldest first.
        log_weights: ``(6,)`` float64 logarithms of the weights of all experts.
        move: the column of the move among the features.
    """

    mean: Tensor
    deviation: Tensor
    fading: Tensor
    weights: Tensor
    bias: Tensor
    distant: Tensor
    log_weights: Tensor

    def __init__(self, features: str, channels: int = 8, dropout: float = 0.5) -> None:
        super().__init__()
        n = len(COLUMNS[features])
        self.move = COLUMNS[features].index(MOVES[features])
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("deviation", torch.ones(n))
        self.register_buffer("fading", torch.tensor(FADING))
        self.register_buffer("weights", torch.zeros(2, n + VIEW_ROWS))
        self.register_buffer("bias", torch.zeros(2))
        self.register_buffer("distant", torch.zeros(1, WINDOW_BARS - VIEW_ROWS))
        at_first = [AT_FIRST.get(expert, 1.0) for expert in EXPERTS]
        self.register_buffer("log_weights", torch.tensor(at_first, dtype=torch.float64).log())
        self.body = nn.Sequential(
            # Lengths without a remainder, with which a strided layer would drop the newest bars.
            layers.Conv1d(n, channels, 4, stride=2),  # (B, C, 29)
            layers.GELU(),
            layers.Conv1d(channels, channels, 5, stride=2),  # (B, C, 13)
            layers.GELU(),
            nn.Flatten(),
            layers.LayerNorm(channels * 13),
            nn.Dropout(dropout),
        )
        self.head = layers.Linear(channels * 13, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def fit_moments(self, rows: Tensor) -> None:
        """Set the moments to those of the rows ``(N, F)`` to learn from."""
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clip(min=SMALL))

    def seen(self, x: Tensor) -> Tensor:
        """Return the inputs of a linear expert, ``(B, F + 7)``, of windows ``(B, >= 7, F)``.

        The last one is whether the two newest moves agree, from -1 to 1: that a market goes on or
        back is linear in it, but not in the moves.
        """
        x = self._standard(x[:, -VIEW_ROWS:])
        moves = x[:, :, self.move].flip(1)  # newest first
        signs = _signs(moves[:, :2])
        agree = signs[:, :1] * signs[:, 1:]
        return torch.cat([x[:, -1], moves[:, 1:] * self.fading, agree], 1)

    def seen_before(self, moves: Tensor) -> Tensor:
        """Return the signs of the moves before those of ``seen``, from -1 to 1.

        Args:
            moves: ``(B, 60)`` the column ``move`` of windows, oldest first.

        Returns:
            ``(B, 53)``.
        """
        before = moves[:, :-VIEW_ROWS]
        return _signs((before - self.mean[self.move]) / self.deviation[self.move])

    def forward(self, x: Tensor) -> Tensor:
        linear = layers.product(self.seen(x)[:, None], self.weights, self.bias)
        recent, steady = linear[:, 0].unbind(1)
        before = self.seen_before(x[:, :, self.move])[:, None]
        distant = layers.product(before, self.distant, self.bias.new_zeros(1)).flatten()
        added = self.head(self.body(self._standard(x).transpose(1, 2))).squeeze(1)
        return torch.stack([recent, steady, steady + distant + added], 1)

    def _standard(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.deviation).clip(-CLIP_SD, CLIP_SD)


def _signs(moves: Tensor) -> Tensor:
    return (STEEP * moves).clip(-1, 1)


def fitted_moments(
    net: WindowNet, data: CNNDataModule
) -> tuple[NDArray[np.float64], NDArray[np.bool]]:
    """Set a network's moments to those of a snapshot; return what its linear experts learn from.

    Returns:
        ``(M, F + 7)`` their inputs in the windows that moved, and ``(M,)`` whether the price rose.
    """
    net.fit_moments(torch.from_numpy(data.rows))
    newest = data.windows.x[:, -VIEW_ROWS:][data.moved]
    seen = net.seen(torch.from_numpy(newest)).double().numpy()
    return seen, data.windows.up[data.moved] > 0


def fit_distant(net: WindowNet, data: CNNDataModule, steady: NDArray[np.float64]) -> None:
    """Fit what the moves further back add to the expert ``steady``.

    Args:
        net: the network, its moments those of the snapshot.
        data: the snapshot.
        steady: ``(M,)`` the logits of that expert in the windows that moved.
    """
    moves = torch.from_numpy(data.windows.x[:, :, net.move][data.moved])
    before = net.seen_before(moves).double().numpy()
    up = data.windows.up[data.moved] > 0
    net.distant[0] = torch.from_numpy(step_from(before, up, steady, DISTANT_SD))


class Forecaster(nn.Module):
    """The model of a version: raw bars in; it holds features, scaler, experts and their weights.

    Args:
        net: the network of the experts of windows, ``(B, 60, F)`` -> logits ``(B, 3)``.
        rows: the experts of rows, ``(B, F + 5)`` -> logits ``(B, 2)``.
        scaler: the scaler of the bars that ``net`` was trained on; None if it is loaded later.
        features: name of the feature set.
        confidence: probability from which a forecast is a signal.

    Attributes:
        outputs: the names of the output's columns.
    """

    outputs = ("probability of a rise", "signal: 1 buy, -1 sell, 0 none")
    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        net: WindowNet,
        rows: RowExperts,
        scaler: MinMaxScaler | None,
        *,
        features: str,
        confidence: float,
    ) -> None:
        super().__init__()
        self.net, self.rows = net, rows
        self.features = features
        self.confidence = confidence
        empty = torch.zeros(len(COLUMNS[features]), dtype=torch.float64)
        scale, offset = (
            (empty, empty)
            if scaler is None
            else map(torch.from_numpy, (scaler.scale_, scaler.min_))
        )
        self.register_buffer("scale", scale.clone())
        self.register_buffer("offset", offset.clone())

    def forward(self, raw: Tensor) -> Tensor:
        """Forecast the move over the horizon.

        Args:
            raw: ``(B, 109, 16)`` float64, the ``RAW_COLUMNS`` of the newest bars.

        Returns:
            ``(B, 2)`` float32: the probability of a rise, and the signal (1 buy, -1 sell, 0 none).
        """
        up = self.rise(*self._inputs(raw))
        signal = (up >= self.confidence).float() - (up <= 1 - self.confidence).float()
        return torch.stack([up, signal], 1)

    def rise(self, rows: Tensor, activity: Tensor) -> Tensor:
        """Return the probabilities of a rise, ``(B,)`` float32.

        Args:
            rows: ``(B, 60, F)`` float64 feature rows.
            activity: ``(B, 5)`` float64, that of the newest row.
        """
        weights = torch.softmax(self.net.log_weights, 0)
        return (self._experts_of(rows, activity) * weights).sum(-1).float()

    def experts(self, raw: Tensor) -> Tensor:
        """Return the experts' forecasts, ``(B, 6)`` float64, of raw bars as in ``forward``."""
        return self._experts_of(*self._inputs(raw))

    def _inputs(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        activity = make_activity(raw[:, -WARMUP_BARS - 1 :], torch)[:, -1]
        return make_features(raw, self.features, torch), activity

    def _experts_of(self, rows: Tensor, activity: Tensor) -> Tensor:
        x = (rows * self.scale + self.offset).clip(LOWEST, HIGHEST).float()  # (B, 60, F)
        of_rows = self.rows(torch.cat([rows[:, -1], activity], 1))
        learned = layers.elementwise(torch.sigmoid, torch.cat([self.net(x).double(), of_rows], 1))
        return torch.cat([self._prior(rows[:, -1]), learned], 1)

    def _prior(self, row: Tensor) -> Tensor:
        """Return the probability of a rise, ``(B, 1)``, that nobody has to learn."""
        columns = COLUMNS[self.features]
        if QUEUE not in columns:
            return torch.full_like(row[:, :1], 0.5)
        at = columns.index(QUEUE)
        return 0.5 + 0.5 * TRUST * row[:, at : at + 1]

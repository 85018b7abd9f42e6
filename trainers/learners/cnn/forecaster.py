"""The networks of the forecaster. Shapes: B batch, T bars, F features, K views.

A forecast is a mixture of four views of the market, each trusted as far as its own past forecasts
have earned it (``trainers.learners.cnn.mixing``):

    coin     one half, always: nothing can be known
    recent   linear in the newest bars, fitted on the last 10 minutes: follows a market that turns
    steady   the same, fitted on all of the history: best while the market stays as it is
    deep     steady, and what a convolution over the whole window adds to it

An hour of 1-s bars supports few weights (an excess log-loss of about weights / 2N): hence linear
views with a ridge, and a convolution that has to show its worth.
"""

from __future__ import annotations

import torch
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor, nn

from datamodules.features import FEATURE_COLUMNS, WARMUP_BARS, make_features
from datamodules.scaling import HIGHEST, LOWEST
from datamodules.windows import WINDOW_BARS

# Raw bars an exported forecaster takes: its window and the warm-up of its features.
FORECASTER_BARS = WARMUP_BARS + WINDOW_BARS

VIEWS = ("coin", "recent", "steady", "deep")
RECENT, STEADY = 0, 1  # rows of the linear weights

# Rows that a linear view sees: the newest whole, of the others the move alone, ever less of it.
VIEW_ROWS = 7
FADING = tuple(0.5 * 0.7**lag for lag in range(VIEW_ROWS - 1))
MOVES = {"classic": "close", "flow": "return"}

CLIP_SD = 4.0  # standard deviations beyond which a feature says no more
SMALL = 1e-6  # below this a feature did not move, and says nothing


class WindowNet(nn.Module):
    """``(B, 60, F)`` scaled windows -> ``(B, 4)`` logits of up, one a view.

    Moments and linear weights are fitted, not descended to: they are buffers, refitted each
    cycle on the past alone. The convolution's head starts at 0, so that it begins as ``steady``.

    Args:
        features: name of the feature set.
        channels: of both convolutions.
        dropout: share of the convolutions' outputs left out in training.
    """

    mean: Tensor
    deviation: Tensor
    fading: Tensor
    weights: Tensor
    bias: Tensor
    log_trust: Tensor

    def __init__(self, features: str, channels: int = 8, dropout: float = 0.5) -> None:
        super().__init__()
        n = len(FEATURE_COLUMNS[features])
        self.move = FEATURE_COLUMNS[features].index(MOVES[features])
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("deviation", torch.ones(n))
        self.register_buffer("fading", torch.tensor(FADING))
        self.register_buffer("weights", torch.zeros(2, n + VIEW_ROWS - 1))
        self.register_buffer("bias", torch.zeros(2))
        self.register_buffer("log_trust", torch.zeros(len(VIEWS), dtype=torch.float64))
        self.body = nn.Sequential(
            # Lengths that leave no remainder: a strided layer would drop the newest bars.
            nn.Conv1d(n, channels, 4, stride=2),  # (B, C, 29)
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, stride=2),  # (B, C, 13)
            nn.GELU(),
            nn.Flatten(),
            nn.LayerNorm(channels * 13),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(channels * 13, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def fit_moments(self, rows: Tensor) -> None:
        """Take mean and standard deviation of the rows ``(N, F)`` to learn from."""
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clip(min=SMALL))

    def seen(self, x: Tensor) -> Tensor:
        """Return what a linear view is linear in, ``(B, F + 6)``, of ``(B, >= 7, F)``."""
        x = self._standard(x[:, -VIEW_ROWS:])
        earlier = x[:, :-1, self.move].flip(1)  # newest first
        return torch.cat([x[:, -1], earlier * self.fading], 1)

    def forward(self, x: Tensor) -> Tensor:
        recent, steady = (self.seen(x) @ self.weights.T + self.bias).unbind(1)
        added = self.head(self.body(self._standard(x).transpose(1, 2))).squeeze(1)
        return torch.stack([torch.zeros_like(steady), recent, steady, steady + added], 1)

    def _standard(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.deviation).clip(-CLIP_SD, CLIP_SD)


class Forecaster(nn.Module):
    """The whole model version: raw bars in, features, scaler, network and trust inside.

    Args:
        net: ``(B, 60, F)`` -> logits ``(B, 4)``.
        scaler: fitted on the bars that ``net`` was trained on; None to be loaded.
        features: name of the feature set.
        confidence: probability from which a forecast is a signal.
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self, net: WindowNet, scaler: MinMaxScaler | None, *, features: str, confidence: float
    ) -> None:
        super().__init__()
        self.net = net
        self.features = features
        self.confidence = confidence
        empty = torch.zeros(len(FEATURE_COLUMNS[features]), dtype=torch.float64)
        scale, offset = (
            (empty, empty)
            if scaler is None
            else map(torch.from_numpy, (scaler.scale_, scaler.min_))
        )
        self.register_buffer("scale", scale.clone())
        self.register_buffer("offset", offset.clone())

    def forward(self, raw: Tensor) -> Tensor:
        """Forecast the next bar.

        Args:
            raw: ``(B, 109, 10)`` float64, the columns ``RAW`` of the newest bars.

        Returns:
            ``(B, 2)`` float32: probability of up, and the signal (1 buy, -1 sell, 0 none).
        """
        up = (self.views(raw) @ torch.softmax(self.net.log_trust, 0)).float()
        signal = (up >= self.confidence).float() - (up <= 1 - self.confidence).float()
        return torch.stack([up, signal], 1)

    def views(self, raw: Tensor) -> Tensor:
        """Return what each view says, ``(B, 4)`` float64, of raw bars as in ``forward``."""
        rows = make_features(raw, self.features, torch)
        x = (rows * self.scale + self.offset).clip(LOWEST, HIGHEST).float()  # (B, 60, F)
        return torch.sigmoid(self.net(x).double())

"""The networks. Shapes: B batch, T bars, F features."""

from __future__ import annotations

import torch
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor, nn

from datamodules.features import RAW, WARMUP, make_features
from datamodules.indicators import rsi
from datamodules.scaling import HIGHEST, LOWEST
from datamodules.transitions import BUY, SELL, STATE
from datamodules.transitions import LENGTH as STATE_LENGTH
from datamodules.windows import LENGTH

# Raw bars an exported forecaster takes: its window and the warm-up of its features.
FORECASTER_BARS = WARMUP + LENGTH


# Standard deviations beyond which a feature says no more.
FAR = 5.0

# Below this a feature did not move, and says nothing.
SMALL = 1e-6


class WindowNet(nn.Module):
    """A small CNN over a window, beside a linear view of its newest rows.

    ``(B, 60, F)`` -> logit of up ``(B,)``. About 1,000 weights and much dropout: an hour of 1-s
    bars supports no more. Rows are standardised by moments that are a part of the version, fitted
    on the past alone. The head starts at 0: an untrained network says one half.

    Args:
        n_features: F.
        channels: of both convolutions.
        newest: rows that the head also sees directly.
        dropout: share of the convolutions' outputs left out in training.
    """

    def __init__(
        self, n_features: int, channels: int = 8, newest: int = 10, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.newest = newest
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(n_features))
        self.body = nn.Sequential(
            # Lengths that leave no remainder: a strided layer would drop the newest bars.
            nn.Conv1d(n_features, channels, 4, stride=2),  # (B, C, 29)
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, stride=2),  # (B, C, 13)
            nn.GELU(),
            nn.Flatten(),
            nn.LayerNorm(channels * 13),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(channels * 13 + newest * n_features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def fit_moments(self, rows: Tensor) -> None:
        """Take mean and standard deviation of the rows ``(N, F)`` to learn from."""
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clip(min=SMALL))

    def forward(self, x: Tensor) -> Tensor:
        x = ((x - self.mean) / self.deviation).clip(-FAR, FAR).transpose(1, 2)  # (B, F, 60)
        newest = x[:, :, -self.newest :].flatten(1)
        logit: Tensor = self.head(torch.cat([self.body(x), newest], 1)).squeeze(1)
        return logit


class Forecaster(nn.Module):
    """The whole model version: raw bars in, features, scaler and network inside.

    Args:
        net: ``(B, 60, F)`` -> logits ``(B,)``.
        scaler: fitted on the bars that ``net`` was trained on.
        features: name of the feature set.
        confidence: probability from which a forecast is a signal.
    """

    def __init__(
        self, net: nn.Module, scaler: MinMaxScaler, *, features: str, confidence: float
    ) -> None:
        super().__init__()
        self.net = net
        self.features = features
        self.confidence = confidence
        self.register_buffer("scale", torch.from_numpy(scaler.scale_.copy()))
        self.register_buffer("offset", torch.from_numpy(scaler.min_.copy()))

    def forward(self, raw: Tensor) -> Tensor:
        """Forecast the next bar.

        Args:
            raw: ``(B, 109, 8)`` float64, the columns ``RAW`` of the newest bars.

        Returns:
            ``(B, 2)`` float32: probability of up, and the signal (1 buy, -1 sell, 0 none).
        """
        rows = make_features(raw, self.features, torch)
        x = (rows * self.scale + self.offset).clip(LOWEST, HIGHEST).float()  # (B, 60, F)
        up = torch.sigmoid(self.net(x))
        signal = (up >= self.confidence).float() - (up <= 1 - self.confidence).float()
        return torch.stack([up, signal], 1)


class ValueNet(nn.Module):
    """``(B, 10, 3)`` states -> ``(B, 2)``: worth of being out of and in the market, less costs.

    States come raw (close, volume, RSI) and are made free of price level and volume unit here:
    closes as distance from the newest in units of ``unit``, volume over its mean, RSI from -1 to 1.
    """

    unit: Tensor  # bp, a typical move of one bar

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.register_buffer("unit", torch.ones(()))
        self.net = nn.Sequential(
            nn.Linear(STATE_LENGTH * len(STATE), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, state: Tensor) -> Tensor:
        values: Tensor = self.net(self.normalise(state))
        return values

    def normalise(self, state: Tensor) -> Tensor:
        """Return ``(..., 30)`` float32 inputs of ``net``; needs doing once an experience."""
        close, volume, strength = state.unbind(-1)  # (..., 10)
        moves = (close / close[..., -1:] - 1) * 1e4 / self.unit
        volume = volume / (volume.mean(-1, keepdim=True) + 1e-12) - 1
        inputs = torch.cat([moves, volume, strength / 50 - 1], -1)
        return inputs.clip(-10, 10).float()


class Agent(nn.Module):
    """The whole DQN version: raw bars in, the action from either position out.

    Args:
        values: ``(B, 10, 3)`` raw states -> values in units of ``values.unit``.
        fee_bps: cost of a change of position.
    """

    def __init__(self, values: ValueNet, *, fee_bps: float) -> None:
        super().__init__()
        self.values = values
        self.fee_bps = fee_bps

    def forward(self, raw: Tensor) -> Tensor:
        """Decide on the next bar.

        Args:
            raw: ``(B, T, 8)`` float64, ``T >= 24``, the columns ``RAW`` of the newest bars.

        Returns:
            ``(B, 4)`` float32: values of being out and in, bp; action if out, action if in
            (0 HOLD or 1 BUY; 0 HOLD or 2 SELL).
        """
        return self.decide(state_of(raw))

    def decide(self, state: Tensor) -> Tensor:
        """As ``forward``, from raw states ``(B, 10, 3)``."""
        values = self.values(state) * self.values.unit  # (B, 2), bp
        gain = values[:, 1] - values[:, 0]
        buy = BUY * (gain > self.fee_bps).float()
        sell = SELL * (gain < -self.fee_bps).float()
        return torch.cat([values, torch.stack([buy, sell], 1)], 1)


def state_of(raw: Tensor) -> Tensor:
    """Return the states ``(B, 10, 3)`` of raw bars ``(B, T, 8)``."""
    close, volume = raw[..., RAW.index("close")], raw[..., RAW.index("volume")]
    n = STATE_LENGTH
    return torch.stack([close[..., -n:], volume[..., -n:], rsi(close)[..., -n:]], -1)

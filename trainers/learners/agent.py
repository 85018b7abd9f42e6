"""The networks of the agent. Shapes: B batch, T bars."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datamodules.features import RAW
from datamodules.indicators import rsi
from datamodules.transitions import BUY, LENGTH, SELL, STATE


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
            nn.Linear(LENGTH * len(STATE), hidden),
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
    n = LENGTH
    return torch.stack([close[..., -n:], volume[..., -n:], rsi(close)[..., -n:]], -1)

"""The networks of the agent. Shapes: B batch, T bars, D inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datamodules.features import RAW_COLUMNS
from datamodules.indicators import rsi
from datamodules.transitions import STATE_BARS, STATE_COLUMNS, Action

WIDTH = STATE_BARS * len(STATE_COLUMNS)  # inputs of the product's agent


class ValueNet(nn.Sequential):
    """``(..., D)`` -> ``(...)``: the advantage of being in the market, in units.

    Args:
        width: D.
        hidden: neurons of both hidden layers.
    """

    def __init__(self, width: int = WIDTH, hidden: int = 64) -> None:
        super().__init__(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
            nn.Flatten(-2),
        )


class Agent(nn.Module):
    """The whole DQN version: raw bars in, the action from either position out.

    Args:
        net: the advantage of being in.
        unit_bps: a typical move of one bar, the unit of the network's inputs and output.
        cost_bps: of a change of position: fee and half-spread.
        proven: whether the advantage has told returns that it had not learned. As long as it has
            not, the agent stays out: there is a risk, and nothing known that would pay for it.
    """

    unit: Tensor
    cost_bps: Tensor
    proven: Tensor

    def __init__(self, net: ValueNet, *, unit_bps: float, cost_bps: float, proven: bool) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("unit", torch.tensor(unit_bps))
        self.register_buffer("cost_bps", torch.tensor(cost_bps))
        self.register_buffer("proven", torch.tensor(proven))

    def forward(self, raw: Tensor) -> Tensor:
        """Decide on the next bar.

        Args:
            raw: ``(B, T, 10)`` float64, ``T >= 24``, the ``RAW_COLUMNS`` of the newest bars.

        Returns:
            ``(B, 4)`` float32: the advantage of being out (0: the reference) and of being in, bp;
            action if out, action if in (0 HOLD or 1 BUY; 0 HOLD or 2 SELL).
        """
        return self.decide(state_of(raw))

    def decide(self, state: Tensor) -> Tensor:
        """As ``forward``, from raw states ``(B, 10, 3)``."""
        advantage: Tensor = self.net(inputs_of(state, self.unit)) * self.unit  # (B,), bp
        buy = Action.BUY * ((advantage > self.cost_bps) & self.proven)
        sell = Action.SELL * ((advantage < -self.cost_bps) | ~self.proven)
        return torch.stack([torch.zeros_like(advantage), advantage, buy.float(), sell.float()], 1)


def inputs_of(state: Tensor, unit: Tensor) -> Tensor:
    """Make states free of price level, volume unit and volatility.

    Closes become distances from the newest in typical moves, volume is over its mean, RSI from -1
    to 1; far moves are cut at 10.

    Args:
        state: ``(..., 10, 3)`` close (quote currency), volume (base currency), RSI (0 to 100).
        unit: a typical move of one bar, bp.

    Returns:
        ``(..., 30)`` float32.
    """
    close, volume, strength = state.unbind(-1)  # (..., 10)
    moves = (close / close[..., -1:] - 1) * 1e4 / unit
    volume = volume / (volume.mean(-1, keepdim=True) + 1e-12) - 1
    inputs = torch.cat([moves, volume, strength / 50 - 1], -1)
    return inputs.clip(-10, 10).float()


def state_of(raw: Tensor) -> Tensor:
    """Return the states ``(B, 10, 3)`` of raw bars ``(B, T, 10)``."""
    close, volume = raw[..., RAW_COLUMNS.index("close")], raw[..., RAW_COLUMNS.index("volume")]
    n = STATE_BARS
    return torch.stack([close[..., -n:], volume[..., -n:], rsi(close)[..., -n:]], -1)

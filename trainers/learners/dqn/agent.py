"""The networks of the agent. Shapes: B batch, T bars, D inputs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.features import RAW_COLUMNS
from datamodules.indicators import rsi
from datamodules.mids import BP
from datamodules.transitions import STATE_BARS, STATE_COLUMNS, Action
from trainers.learners.layers import Linear

WIDTH = STATE_BARS * len(STATE_COLUMNS)  # the number of a state's inputs


class ValueNet(nn.Sequential):
    """The value network, ``(..., D)`` -> ``(...)``: the advantage of being in the market, in units.

    Args:
        width: D, the number of inputs.
        hidden: the number of neurons in each of the two hidden layers.
    """

    def __init__(self, width: int = WIDTH, hidden: int = 64) -> None:
        super().__init__(
            Linear(width, hidden),
            nn.ReLU(),
            Linear(hidden, hidden),
            nn.ReLU(),
            Linear(hidden, 1),
            nn.Flatten(-2),
        )


class Agent(nn.Module):
    """The model of a version: raw bars in, the actions from either position out.

    Args:
        net: the value network.
        unit_bps: a typical move of one bar, bp: the unit of the network's inputs and output.
        cost_bps: the cost of a change of position, fee and half-spread, bp.
        proven: whether the advantage has predicted returns that were not learned yet
            (``SkillTest``). Until then the agent stays out: being in is a risk that nothing known
            pays for.

    Attributes:
        outputs: the names of the output's columns.
    """

    outputs = (
        "advantage of being out, bp",
        "advantage of being in, bp",
        "action if out: 0 hold, 1 buy",
        "action if in: 0 hold, 2 sell",
    )
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
            raw: ``(B, T, 16)`` float64, ``T >= 24``, the ``RAW_COLUMNS`` of the newest bars.

        Returns:
            ``(B, 4)`` float32: the advantage of being out, which is the reference, so 0; the
            advantage of being in, bp; the action if out (0 HOLD or 1 BUY); the action if in
            (0 HOLD or 2 SELL).
        """
        return self.decide(state_of(raw))

    def decide(self, state: Tensor) -> Tensor:
        """Return the same as ``forward``, given states ``(B, 10, 3)`` as ``state_of`` makes."""
        advantage: Tensor = self.net(inputs_of(state, self.unit)) * self.unit  # (B,), bp
        buy = Action.BUY * ((advantage > self.cost_bps) & self.proven)
        sell = Action.SELL * ((advantage < -self.cost_bps) | ~self.proven)
        return torch.stack([torch.zeros_like(advantage), advantage, buy.float(), sell.float()], 1)


def inputs_of(state: Tensor, unit: Tensor) -> Tensor:
    """Make states independent of price level, volume unit and volatility.

    A close becomes its distance from the newest close in typical moves, a volume its excess over
    the mean as a ratio, the RSI a number from -1 to 1. All inputs are clipped at -10 and 10.

    Args:
        state: ``(..., 10, 3)`` close (quote currency), volume (base currency), RSI (0 to 100).
        unit: a typical move of one bar, bp.

    Returns:
        ``(..., 30)`` float32.
    """
    close, volume, strength = state.unbind(-1)  # (..., 10)
    moves = (close / close[..., -1:] - 1) * BP / unit
    volume = volume / (volume.mean(-1, keepdim=True) + 1e-12) - 1
    inputs = torch.cat([moves, volume, strength / 50 - 1], -1)
    return inputs.clip(-10, 10).float()


def state_of(raw: Any, xp: ModuleType = torch) -> Any:
    """Return the states ``(B, 10, 3)`` of raw bars ``(B, T, 16)``: close, volume and RSI.

    Args:
        raw: an array or tensor.
        xp: its library, ``numpy`` or ``torch``; both give the same bits.
    """
    close, volume = raw[..., RAW_COLUMNS.index("close")], raw[..., RAW_COLUMNS.index("volume")]
    n = STATE_BARS
    return xp.stack([close[..., -n:], volume[..., -n:], rsi(close)[..., -n:]], -1)

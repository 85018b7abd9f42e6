"""The steps of AdamW, without what the optimiser looks at anew in each.

Its hooks, groups and states take three times as long as the update of so small a network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


def stepper(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Return what makes a step with the gradients there are, the same bits as ``step``.

    Args:
        optimizer: a fused AdamW of one group.
    """
    if not optimizer.state:
        return optimizer.step  # its first step makes the state
    (group,) = optimizer.param_groups
    weights: list[Tensor] = group["params"]
    averages, squares, counts = (
        [optimizer.state[weight][name] for weight in weights]
        for name in ("exp_avg", "exp_avg_sq", "step")
    )
    beta1, beta2 = group["betas"]
    settings: dict[str, Any] = {name: group[name] for name in ("lr", "weight_decay", "eps")}

    @torch.no_grad()
    def step() -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        adamw(
            weights, gradients, averages, squares, [], counts, fused=True, amsgrad=False,
            maximize=False, beta1=beta1, beta2=beta2, **settings,
        )  # fmt: skip

    return step

"""The gradients of the value network's squared error, written out.

Autograd gives the same bits and takes twice the time: in so small a network its bookkeeping costs
more than the products. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

relu_backward = torch.ops.aten.threshold_backward.default


@torch.no_grad()
def set_gradients(weights: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Set ``grad`` of all weights; return the mean squared error.

    Args:
        weights: the parameters of a ``ValueNet``, in its order.
        x: ``(B, D)`` inputs.
        y: ``(B,)`` targets.
    """
    w1, b1, w2, b2, w3, b3 = weights
    one = torch.addmm(b1, x, w1.T).relu_()  # (B, H)
    two = torch.addmm(b2, one, w2.T).relu_()  # (B, H)
    error = torch.addmm(b3, two, w3.T)[:, 0].sub_(y)  # (B,)
    slope = (error * (2 / len(y)))[:, None]  # (B, 1), of the loss by the output
    w3.grad, b3.grad = torch.mm(slope.T, two), slope.sum(0)
    slope = relu_backward(torch.mm(slope, w3), two, 0)  # (B, H)
    w2.grad, b2.grad = torch.mm(slope.T, one), slope.sum(0)
    slope = relu_backward(torch.mm(slope, w2), one, 0)  # (B, H)
    w1.grad, b1.grad = torch.mm(slope.T, x), slope.sum(0)
    return error.square_().mean()

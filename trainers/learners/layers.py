"""Layers whose output for one sample is the same bits, whatever is in the batch beside it.

BLAS and oneDNN choose their kernels, and with them the order of a sum, by the size of the batch. A
forecast must not depend on how many others are made with it: in evaluation mode each sample has a
product of its own here. Training takes the faster products of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The numbers in the widest vector of any processor. What does not fill one goes through scalar
# code, which rounds otherwise.
AT_A_TIME = 32


def product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x @ weight.T + bias``, a product for each sample: ``(B, N, K)`` -> ``(B, N, M)``.

    Args:
        x: ``(B, N, K)``.
        weight: ``(M, K)``.
        bias: ``(M,)``.
    """
    return torch.bmm(x, weight.T.expand(x.shape[0], -1, -1)) + bias


def elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return an elementwise function of ``x``, of any shape."""
    flat = x.reshape(-1)
    # So many more that none of x itself is left over.
    more = torch.cat([flat, flat.new_zeros(AT_A_TIME - 1)])
    return function(more)[: flat.shape[0]].reshape(x.shape)


class GELU(nn.Module):
    """The activation GELU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x) if self.training else elementwise(F.gelu, x)


class Linear(nn.Linear):
    """A linear layer, ``(..., K)`` -> ``(..., M)``."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        samples = x.reshape(-1, 1, x.shape[-1])
        return product(samples, self.weight, self.bias).reshape(*x.shape[:-1], self.out_features)


class LayerNorm(nn.LayerNorm):
    """A layer norm, ``(B, K)`` -> ``(B, K)``.

    With its scale and shift in one operation, torch rounds otherwise where weights are stacked.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        return F.layer_norm(x, self.normalized_shape, eps=self.eps) * self.weight + self.bias


class Conv1d(nn.Conv1d):
    """A convolution without padding, ``(B, C, T)`` -> ``(B, M, (T - length) // stride + 1)``."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        (length,), (stride,) = self.kernel_size, self.stride
        parts = x.unfold(2, length, stride).transpose(1, 2).flatten(2)  # (B, N, C * length)
        assert self.bias is not None
        return product(parts, self.weight.flatten(1), self.bias).transpose(1, 2)

"""How the convolution is trained."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.cnn_datamodule import Batch
from trainers.learners.cnn.forecaster import DEEP, WindowNet
from trainers.learners.lightning import ContinualModule


class CNNModule(ContinualModule):
    """The training of the expert ``deep``: binary cross-entropy on windows followed by a move.

    Weights decay to their initial values, not to 0: after a day of decay to 0 the convolutions had
    vanished and learned nothing new. The head starts at 0, so a useless contribution fades all the
    same. Source: S. Kumar, H. Marklund and B. Van Roy, Maintaining plasticity in continual learning
    via regenerative regularization (2023).

    Args:
        net: the experts' network, ``(B, 60, F)`` -> logits ``(B, 3)``.
        learning_rate: Adam step size.
        weight_decay: each step moves the weights by ``learning_rate * weight_decay`` of the way
            back to their initial values; decoupled, as in AdamW.

    Attributes:
        initial: the initial values of the weights.
        sums: ``(3,)`` the sums of loss, hits and windows in this cycle.
    """

    def __init__(self, net: WindowNet, *, learning_rate: float, weight_decay: float) -> None:
        super().__init__()
        self.automatic_optimization = False  # one Lightning step makes several gradient steps
        self.net = net
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self._weights: list[Tensor] = list(net.parameters())
        self.initial = [weight.detach().clone() for weight in self._weights]
        self.sums = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)[:, DEEP]
        return logits

    def on_train_epoch_start(self) -> None:
        self.sums.zero_()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        for x, up in batch:
            logits = self(x)  # (B,)
            loss = F.binary_cross_entropy_with_logits(logits, up)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation here
            optimizer.step()
            self._draw_back()
            hits = ((logits.detach() > 0) == (up > 0)).sum()
            self.sums += torch.stack([loss.detach() * len(up), hits, torch.tensor(len(up))])

    @torch.no_grad()
    def _draw_back(self) -> None:
        torch._foreach_lerp_(self._weights, self.initial, self.learning_rate * self.weight_decay)

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

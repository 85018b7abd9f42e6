"""Deep Q-learning where every bar teaches all actions from all positions, as one learner.

Prices do not react to us, so Q(x, p, a) = -c |a - p| + a h(x) + V(x), and one number is learned:
h, the advantage of being in the market over being out of it in a state x,

    h(x) = E[return] + gamma E[clip(h(x'), -c, c)],

since what is left of it in the next state is never more than the cost c of a change. There is no
maximum in it and so no over-estimation, which double Q-learning is for; the position needs no
input, and Q of all actions from all positions follows. BUY goes in, SELL out, HOLD stays.

    transitions -> inputs -> ValueLearner (SkillTest, ReplayBuffer, DQNModule) -> Agent

Target network: Mnih et al. 2015; learning from what every action would have brought: Sinclair et
al. 2023 (exogenous MDPs). A market has no end: values are always bootstrapped.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.dqn_datamodule import Batch
from trainers.learners.dqn.agent import ValueNet
from trainers.learners.lightning import ContinualModule

# AdamW's. Noise is most of a market: without it, a martingale is traded in 20 bars of 100.
WEIGHT_DECAY = 1.0


class DQNModule(ContinualModule):
    """Regression of h on its own target, over stacks of minibatches. Money is in units.

    Args:
        net: h.
        learning_rate: AdamW step size.
        gamma: discount factor a bar.
        tau: Polyak step of the target network a stack of updates.
        cost: of a change of position; may be set anew.
    """

    def __init__(
        self, net: ValueNet, *, learning_rate: float, gamma: float, tau: float, cost: float = 1.0
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # one step of Lightning makes many updates
        self.net = net
        self.target = copy.deepcopy(net).requires_grad_(False)
        self.learning_rate = learning_rate
        self.gamma, self.tau, self.cost = gamma, tau, cost
        self.updates = 0
        self.loss_sum = 0.0

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        state, after, ret = batch
        target = self.td_target(after, ret)
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        losses = []
        for x, y in zip(state, target, strict=True):
            # Squared: returns have heavy tails, and their mean is wanted, not their median.
            loss = F.mse_loss(self.net(x), y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation here
            optimizer.step()
            losses.append(loss.detach())
        self._follow()
        self.loss_sum += float(torch.stack(losses).sum())
        self.updates += len(losses)

    @torch.no_grad()
    def td_target(self, after: Tensor, ret: Tensor) -> Tensor:
        """Return what being in is worth by what follows, for a whole stack at once.

        The target network is that of the stack's start, so targets hold still for its updates.

        Args:
            after: ``(K, B, D)`` inputs of the next state.
            ret: ``(K, B)`` returns of the next bar.

        Returns:
            ``(K, B)``.
        """
        left: Tensor = self.target(after).clip(-self.cost, self.cost)
        return ret + self.gamma * left

    def _follow(self) -> None:
        """Move the target network, once a stack of updates."""
        online: list[Tensor] = list(self.net.parameters())
        target: list[Tensor] = list(self.target.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(target, online, self.tau)

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.net.parameters(), lr=self.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
        )

"""The method of the DQN: deep Q-learning in which each bar teaches all actions and positions.

An agent's trades do not move prices, so Q(x, p, a) = -c |a - p| + a h(x) + V(x) for a state x, a
position p and the position a after the action, each 0 or 1. Only h is learned, the advantage of
being in the market over being out of it:

    h(x) = E[return] + gamma E[clip(h(x'), -c, c)]

The clip holds because in the next state x' the position can be changed at the cost c, so being in
already is never better or worse than being out by more than c. The target has no maximum, hence no
over-estimation for double Q-learning to correct. The position is no input of the network, and Q of
all actions from both positions follows from h. BUY goes in, SELL goes out, HOLD stays.

    transitions -> inputs -> ValueLearner (SkillTest, ReplayBuffer, DQNModule) -> Agent

Sources: V. Mnih et al., Human-level control through deep reinforcement learning (2015), for the
target network; S. Sinclair et al., Hindsight learning for MDPs with exogenous inputs (2023), for
learning from all actions at once. A market has no terminal state: values are always bootstrapped.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from datamodules.dqn_datamodule import Batch
from trainers.learners.dqn.agent import ValueNet
from trainers.learners.dqn.gradients import set_gradients
from trainers.learners.dqn.steps import stepper
from trainers.learners.lightning import ContinualModule

# The weight decay of AdamW. Most of a market is noise: without decay, the agent trades a martingale
# in 20 of 100 bars.
WEIGHT_DECAY = 1.0


class DQNModule(ContinualModule):
    """The regression of h on its bootstrapped target, over stacks of minibatches.

    Returns and costs are in units: typical moves of one bar.

    Args:
        net: the value network, which computes h.
        learning_rate: AdamW step size.
        gamma: discount factor per bar.
        tau: Polyak step of the target network, made after each stack of gradient steps.
        cost: the cost of a change of position, in units; may be changed between fits.

    Attributes:
        target: the target network.
        updates: the number of gradient steps so far.
        loss_sum: the sum of the losses since it was last set to 0.
    """

    def __init__(
        self, net: ValueNet, *, learning_rate: float, gamma: float, tau: float, cost: float = 1.0
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # one Lightning step makes many gradient steps
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
        weights, losses, step = list(self.net.parameters()), [], stepper(optimizer)
        for x, y in zip(state, target, strict=True):
            # Squared loss estimates the mean, which counts; the usual Huber loss would be pulled
            # towards the median, which differs as returns have heavy tails.
            losses.append(set_gradients(weights, x, y))
            step()
        self._follow()
        self.loss_sum += float(torch.stack(losses).sum())
        self.updates += len(losses)

    @torch.no_grad()
    def td_target(self, after: Tensor, ret: Tensor) -> Tensor:
        """Return the targets of h for a whole stack of K minibatches.

        The target network stays as it is at the stack's beginning, so the targets do not move
        during the stack's gradient steps.

        Args:
            after: ``(K, B, D)`` inputs of the next state.
            ret: ``(K, B)`` returns of the bar that leads to it, in units.

        Returns:
            ``(K, B)`` targets, in units.
        """
        left: Tensor = self.target(after).clip(-self.cost, self.cost)
        return ret + self.gamma * left

    def _follow(self) -> None:
        """Move the target network towards the online one; called once per stack."""
        online: list[Tensor] = list(self.net.parameters())
        target: list[Tensor] = list(self.target.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(target, online, self.tau)

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.net.parameters(), lr=self.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
        )

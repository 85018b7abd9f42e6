"""Deep Q-learning where every bar teaches all actions from all positions, as one learner.

Prices do not react to us, so Q(x, p, a) = -cost * |a - p| + W(x, a): the network learns W, the
worth of being out of (a = 0) or in (a = 1) the market, and the position p needs no input. Target
network: Mnih et al. 2015; double Q: van Hasselt et al. 2016; learning from what every action
would have brought: Sinclair et al. 2023 (exogenous MDPs). BUY goes in, SELL out, HOLD stays.
There is no end of an episode in a market: values are always bootstrapped.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from datamodules.dqn_datamodule import Batch, DQNDataModule
from datamodules.features import raw_columns
from datamodules.replay_buffer import ReplayBuffer
from datamodules.snapshot import Snapshot
from datamodules.transitions import LENGTH, Transitions
from streaming.bars import Bars
from trainers.config import SessionConfig
from trainers.learners.agent import Agent, ValueNet
from trainers.learners.lightning import ContinualModule, fit, seeded
from trainers.scoring.account import Account

# Raw bars an exported agent takes: its state and the warm-up of the RSI in it.
AGENT_BARS = LENGTH + 14


class DQNModule(ContinualModule):
    """Double DQN over stacks of minibatches.

    Args:
        values: the network W.
        learning_rate: Adam step size.
        gamma: discount factor a bar.
        tau: Polyak step of the target network a stack of updates.
        fee_bps: cost of a change of position.
    """

    def __init__(
        self, values: ValueNet, *, learning_rate: float, gamma: float, tau: float, fee_bps: float
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # one step of Lightning makes many updates
        self.values = values
        self.target = copy.deepcopy(values.net).requires_grad_(False)
        self.learning_rate = learning_rate
        self.gamma, self.tau, self.fee_bps = gamma, tau, fee_bps
        self.updates = 0
        self.loss_sum = 0.0

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        rows, ret = batch  # (K, B, 11, 3), (K, B)
        state = self.values.normalise(rows[:, :, :-1])  # (K, B, 30)
        target = self.td_target(self.values.normalise(rows[:, :, 1:]), ret / self.values.unit)
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        losses = []
        for x, y in zip(state, target, strict=True):
            loss = F.smooth_l1_loss(self.values.net(x), y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation here
            optimizer.step()
            losses.append(loss.detach())
        self._follow()
        self.loss_sum += float(torch.stack(losses).sum())
        self.updates += len(losses)

    @torch.no_grad()
    def td_target(self, next_state: Tensor, ret: Tensor) -> Tensor:
        """Return what both positions are worth by what follows, for a whole stack at once.

        The networks are those of the stack's start, so that targets hold still for its updates.

        Args:
            next_state: ``(K, B, 30)`` normalised.
            ret: ``(K, B)`` returns of the next bar, in units of ``values.unit``.

        Returns:
            ``(K, B, 2)``, of being out and of being in.
        """
        cost = float(self.fee_bps / self.values.unit)
        # The online network picks the next position, the target network prices it.
        gain = self.values.net(next_state).diff(dim=-1).squeeze(-1)  # (K, B), of in over out
        out, into = self.target(next_state).unbind(-1)
        after_out = torch.where(gain > cost, into - cost, out)
        after_in = torch.where(gain < -cost, out - cost, into)
        return torch.stack([self.gamma * after_out, ret + self.gamma * after_in], -1)

    def _follow(self) -> None:
        """Move the target network, once a stack of updates."""
        online: list[Tensor] = list(self.values.net.parameters())
        target: list[Tensor] = list(self.target.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(target, online, self.tau)

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.values.net.parameters(), lr=self.learning_rate, fused=True)


class DQN:
    """The learner around ``DQNModule``; the version that acts is never the one trained."""

    name, kind = "dqn", "agent"

    def __init__(self, config: SessionConfig) -> None:
        self._config = config
        self.learning_rate = config.dqn_learning_rate
        self.epsilon = 1.0
        self.episodes = 0
        self.memory = ReplayBuffer(config.dqn_memory)
        self.serving: Agent | None = None
        values = seeded(ValueNet, config.seed, self.name)
        self._module = DQNModule(
            values,
            learning_rate=self.learning_rate,
            gamma=config.dqn_gamma,
            tau=config.dqn_tau,
            fee_bps=config.fee_bps,
        )

    def forecast(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        if self.serving is None or len(bars) < AGENT_BARS:
            return None
        if bars["gap"][1 - LENGTH :].any():
            return None
        raw = torch.from_numpy(raw_columns(bars[-AGENT_BARS:])[None])
        with torch.inference_mode():
            out, into, buy, sell = self.serving(raw)[0].tolist()
        return int(max(buy, sell)), (out, into)

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        config, module = self._config, self._module
        rng = snapshot.rng(self.name)
        data = DQNDataModule(
            snapshot,
            memory=self.memory,
            updates=config.dqn_updates,
            batch_size=config.dqn_batch_size,
            rng=rng,
        )
        if self.episodes == 0:  # the unit is a part of the network: fixed once
            module.values.unit.fill_(_typical_move(data.transitions))
        module.learning_rate, module.loss_sum = self.learning_rate, 0.0
        before = module.updates
        fit(module, data, seed=int(rng.integers(2**63)))
        self.serving = Agent(copy.deepcopy(module.values), fee_bps=config.fee_bps).eval()
        report = {
            "loss": module.loss_sum / (module.updates - before),
            "average_reward": self._play(data.transitions, rng),
            "episodes": float(self.episodes),
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "memory_size": float(len(self.memory)),
            "updates": float(module.updates),
        }
        self.epsilon = max(config.dqn_epsilon_min, self.epsilon * config.dqn_epsilon_decay)
        return report

    def _play(self, transitions: Transitions, rng: np.random.Generator) -> float:
        """Play the snapshot as one episode, epsilon-greedy; return the mean reward a bar, bp."""
        account = Account(self._config.fee_bps)
        for action, ret in zip(
            self._actions(transitions, rng), transitions.ret.tolist(), strict=True
        ):
            account.trade(action)
            account.earn(ret)
        self.episodes += 1
        return account.pnl_bps / max(1, len(transitions.ret))

    def _actions(self, transitions: Transitions, rng: np.random.Generator) -> list[int]:
        assert self.serving is not None
        states = torch.from_numpy(transitions.rows[:, :-1])
        with torch.inference_mode():
            greedy: NDArray[np.float32] = self.serving.decide(states)[:, 2:].amax(1).numpy()
        explore = rng.random(len(greedy)) < self.epsilon
        random = rng.integers(0, 3, len(greedy))
        chosen: list[int] = np.where(explore, random, greedy).astype(int).tolist()
        return chosen

    def export(self) -> tuple[nn.Module, int] | None:
        """Return the serving version and how many raw bars it takes, if there is one."""
        return None if self.serving is None else (self.serving, AGENT_BARS)

    def state_dict(self) -> dict[str, Any]:
        return {
            "module": copy.deepcopy(self._module.state_dict()),
            "optimizer": copy.deepcopy(self._module.optimizer_state),
            "updates": self._module.updates,
            "memory": self.memory.state_dict(),
            "episodes": self.episodes,
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "serving": copy.deepcopy(self.serving),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._module.load_state_dict(state["module"])
        self._module.optimizer_state = copy.deepcopy(state["optimizer"])
        self._module.updates = state["updates"]
        self.memory.load_state_dict(state["memory"])
        self.episodes, self.epsilon = state["episodes"], state["epsilon"]
        self.learning_rate = state["learning_rate"]
        self.serving = copy.deepcopy(state["serving"])


def _typical_move(transitions: Transitions) -> float:
    """Return the mean absolute return of the bars that moved, bp; 1 if none did."""
    moved = np.abs(transitions.ret[transitions.ret != 0])
    return float(moved.mean()) if len(moved) else 1.0

"""Deep Q-learning where every bar teaches all actions from all positions, as one learner.

Prices do not react to us, so Q(x, p, a) = -c |a - p| + a h(x) + V(x), and one number is learned:
h, what being in rather than out of the market is worth in a state x,

    h(x) = E[return] + gamma E[clip(h(x'), -c, c)],

since what is left of it in the next state is never more than the cost c of changing over. There is
no maximum in it and so no over-estimation, which double Q-learning is for; the position needs no
input, and Q of all actions from all positions follows. BUY goes in, SELL out, HOLD stays.

    transitions --inputs--> experiences --> ValueLearner (evidence, memory, DQNModule) --> Agent

Target network: Mnih et al. 2015; learning from what every action would have brought: Sinclair et
al. 2023 (exogenous MDPs). A market has no end: values are always bootstrapped.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.digest import digest
from datamodules.dqn_datamodule import Batch, DQNDataModule, transitions_of
from datamodules.features import raw_columns
from datamodules.quotes import SPREAD_BARS, half_spread_bps
from datamodules.replay_buffer import Experiences, ReplayBuffer
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import LENGTH, Action, Transitions
from streaming.bars import Bars
from trainers.config import SessionConfig
from trainers.learners.dqn.agent import WIDTH, Agent, ValueNet, inputs_of
from trainers.learners.lightning import ContinualModule, fit, seeded

# Raw bars an exported agent takes: its state and the warm-up of the RSI in it.
AGENT_BARS = LENGTH + 14

# AdamW's. Noise is most of a market: without it, a martingale is traded in 20 bars of 100.
WEIGHT_DECAY = 1.0

# Newest experiences that tell a typical move: enough to know it to 5 %, soon over a change.
UNIT_BARS = 600


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


class Evidence:
    """Whether the worth of states tells returns that were not yet learned when it was computed.

    A network finds something in any noise. t = sum(h r) / sqrt(sum(h^2 r^2)) is about standard
    normal if there is nothing to be found. Older bars count less, half as much after 3,000.
    """

    PROVEN = 2.0
    HALF_LIFE = 3000

    def __init__(self) -> None:
        self.gain, self.square = 0.0, 0.0

    @property
    def proven(self) -> bool:
        """Tell whether t > 2."""
        return self.gain > self.PROVEN * math.sqrt(self.square)

    def add(self, worth: NDArray[np.float32], ret: NDArray[np.float32]) -> None:
        """Count ``(N,)`` new bars, in units."""
        earned = worth.astype(np.float64) * ret
        kept = 0.5 ** (len(ret) / self.HALF_LIFE)
        self.gain = kept * self.gain + float(earned.sum())
        self.square = kept * self.square + float((earned**2).sum())


class ValueLearner:
    """Test, then train, whatever the inputs are: the core of the DQN.

    Args:
        config: the ``dqn_`` knobs and the seed of the weights.
        width: D, inputs of the network.
    """

    def __init__(self, config: SessionConfig, width: int) -> None:
        self._config = config
        self.digests: dict[str, str] = {}  # of what the last cycle learned from
        self.memory = ReplayBuffer(config.dqn_memory, width)
        self.evidence = Evidence()
        self.module = DQNModule(
            seeded(lambda: ValueNet(width), config.seed, DQN.name),
            learning_rate=config.dqn_learning_rate,
            gamma=config.dqn_gamma,
            tau=config.dqn_tau,
        )

    def learn(self, new: Experiences, *, cost: float, rng: np.random.Generator) -> float:
        """Score the network on new experiences, then learn from all; return the mean loss.

        Args:
            new: later than all before; may be none if there is something to remember.
            cost: of a change of position, in units.
            rng: of this cycle.
        """
        config, module = self._config, self.module
        self.digests = {"features": digest(new.state, new.after, new.ret)}
        if module.updates:
            self.evidence.add(self.worth(new.state), new.ret)
        self.memory.add(new)
        data = DQNDataModule(
            self.memory, updates=config.dqn_updates, batch_size=config.dqn_batch_size, rng=rng
        )
        self.digests["batches"] = digest(data.drawn)
        module.cost, module.loss_sum = cost, 0.0
        before = module.updates
        fit(module, data, seed=int(rng.integers(2**63)))
        return module.loss_sum / (module.updates - before)

    def worth(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return h ``(N,)`` of inputs ``(N, D)``, in units."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self.module.net(torch.from_numpy(state)).numpy()
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to go on as this one."""
        return {
            "module": copy.deepcopy(self.module.state_dict()),
            "optimizer": copy.deepcopy(self.module.optimizer_state),
            "updates": self.module.updates,
            "memory": self.memory.state_dict(),
            "evidence": (self.evidence.gain, self.evidence.square),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the one that ``state`` was taken from."""
        self.module.load_state_dict(state["module"])
        self.module.optimizer_state = copy.deepcopy(state["optimizer"])
        self.module.updates = state["updates"]
        self.memory.load_state_dict(state["memory"])
        self.evidence.gain, self.evidence.square = state["evidence"]


class DQN:
    """The learner around ``ValueLearner``; the version that acts is never the one trained."""

    name, kind = "dqn", "agent"

    def __init__(self, config: SessionConfig) -> None:
        self._config = config
        self.learning_rate = config.dqn_learning_rate
        self.epsilon = 1.0
        self.episodes = 0
        self.unit_bps = 1.0
        self.core = ValueLearner(config, WIDTH)
        self.serving: Agent | None = None

    @property
    def memory(self) -> ReplayBuffer:
        """What is remembered."""
        return self.core.memory

    @property
    def digests(self) -> dict[str, str]:
        """Return hashes of what the last cycle learned from."""
        return self.core.digests

    @property
    def _module(self) -> DQNModule:
        return self.core.module

    def forecast(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        return None if self.serving is None else self.speak(self.serving, bars)

    @staticmethod
    def speak(
        model: Callable[[Tensor], Tensor], bars: Bars
    ) -> tuple[int, tuple[float, float]] | None:
        """Ask a version what to do over the bar after the newest."""
        if len(bars) < AGENT_BARS or bars["gap"][1 - LENGTH :].any():
            return None
        raw = torch.from_numpy(raw_columns(bars[-AGENT_BARS:])[None])
        with torch.inference_mode():
            out, into, buy, sell = model(raw)[0].tolist()
        return int(max(buy, sell)), (out, into)

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        config = self._config
        transitions = transitions_of(snapshot)
        if len(self.memory) == 0 and len(transitions.ret) == 0:  # gaps have cut all of them out
            raise NotEnoughBarsError(0, 1, "experiences without a gap")
        rng = snapshot.rng(self.name)
        self.unit_bps = typical_move(transitions.ret[-UNIT_BARS:], self.unit_bps)
        cost_bps = config.fee_bps + float(half_spread_bps(snapshot.bars[-SPREAD_BARS:])[-1])
        self._module.learning_rate = self.learning_rate
        new = experiences_of(transitions, self.unit_bps, after=self.memory.newest)
        loss = self.core.learn(new, cost=cost_bps / self.unit_bps, rng=rng)
        self.serving = Agent(
            copy.deepcopy(self._module.net),
            unit_bps=self.unit_bps,
            cost_bps=cost_bps,
            proven=self.core.evidence.proven,
        ).eval()
        report = {
            "loss": loss,
            "average_reward": self._play(transitions, cost_bps, rng),
            "episodes": float(self.episodes),
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "memory_size": float(len(self.memory)),
            "updates": float(self._module.updates),
        }
        self.epsilon = max(config.dqn_epsilon_min, self.epsilon * config.dqn_epsilon_decay)
        return report

    def _play(self, transitions: Transitions, cost_bps: float, rng: np.random.Generator) -> float:
        """Play the snapshot as one episode, epsilon-greedy; return the mean reward a bar, bp."""
        held = held_by(self._actions(transitions, rng))
        changes = np.abs(np.diff(held, prepend=0))
        self.episodes += 1
        return float(held @ transitions.ret - cost_bps * changes.sum()) / max(1, len(held))

    def _actions(self, transitions: Transitions, rng: np.random.Generator) -> NDArray[np.int64]:
        assert self.serving is not None
        states = torch.from_numpy(transitions.rows[:, :-1])
        with torch.inference_mode():
            greedy: NDArray[np.float32] = self.serving.decide(states)[:, 2:].amax(1).numpy()
        explore = rng.random(len(greedy)) < self.epsilon
        random = rng.integers(0, 3, len(greedy))
        return np.where(explore, random, greedy).astype(np.int64)

    def export(self) -> tuple[Agent, int] | None:
        """Return the serving version and how many raw bars it takes, if there is one."""
        return None if self.serving is None else (self.serving, AGENT_BARS)

    def state_dict(self) -> dict[str, Any]:
        return {
            **self.core.state_dict(),
            "unit_bps": self.unit_bps,
            "episodes": self.episodes,
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "serving": None if self.serving is None else copy.deepcopy(self.serving.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.core.load_state_dict(state)
        self.unit_bps = state["unit_bps"]
        self.episodes, self.epsilon = state["episodes"], state["epsilon"]
        self.learning_rate = state["learning_rate"]
        self.serving = None
        if state["serving"] is not None:
            self.serving = Agent(ValueNet(), unit_bps=1.0, cost_bps=0.0, proven=False).eval()
            self.serving.load_state_dict(state["serving"])


def experiences_of(transitions: Transitions, unit_bps: float, *, after: int = -1) -> Experiences:
    """Return the transitions of bars that opened later than ``after`` (ns) as inputs, in units."""
    new = transitions.ts > after
    rows, unit = torch.from_numpy(transitions.rows[new]), torch.tensor(unit_bps)
    state, following = (inputs_of(part, unit).numpy() for part in (rows[:, :-1], rows[:, 1:]))
    ret = (transitions.ret[new] / unit_bps).astype(np.float32)
    return Experiences(state, following, ret, transitions.ts[new])


def held_by(actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position ``(N,)``, 0 or 1, that each of ``(N,)`` actions leads to, from 0 on."""
    moves = np.isin(actions, (Action.BUY, Action.SELL))
    last = np.maximum.accumulate(np.where(moves, np.arange(len(actions)), -1))
    return np.where(last >= 0, actions[last] == Action.BUY, False).astype(np.int64)


def typical_move(ret: NDArray[np.float64], default: float) -> float:
    """Return the mean absolute return of the bars that moved, bp; ``default`` if none did."""
    moved = np.abs(ret[ret != 0])
    return float(moved.mean()) if len(moved) else default

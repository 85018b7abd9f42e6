"""Test, then train: the core of the DQN, whatever its inputs are."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.digest import digest
from datamodules.dqn_datamodule import DQNDataModule
from datamodules.replay_buffer import Experiences, ReplayBuffer
from trainers.config.learners import DQNSettings
from trainers.learners.dqn.agent import ValueNet
from trainers.learners.dqn.module import DQNModule
from trainers.learners.learner import Context
from trainers.learners.lightning import fit, seeded

NAME = "dqn"


class SkillTest:
    """A running t-test: does the advantage of states tell returns that were not learned yet?

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

    def add(self, advantage: NDArray[np.float32], ret: NDArray[np.float32]) -> None:
        """Count ``(N,)`` new bars, in units."""
        earned = advantage.astype(np.float64) * ret
        kept = 0.5 ** (len(ret) / self.HALF_LIFE)
        self.gain = kept * self.gain + float(earned.sum())
        self.square = kept * self.square + float((earned**2).sum())


class ValueLearner:
    """Test, then train, whatever the inputs are: the core of the DQN.

    Args:
        context: gives the seed of the weights.
        settings: of the DQN.
        width: D, inputs of the network.
    """

    def __init__(self, context: Context, settings: DQNSettings, width: int) -> None:
        self._settings = settings
        self.digests: dict[str, str] = {}  # of what the last cycle learned from
        self.memory = ReplayBuffer(settings.memory, width)
        self.skill = SkillTest()
        self.module = DQNModule(
            seeded(lambda: ValueNet(width), context, NAME),
            learning_rate=settings.learning_rate,
            gamma=settings.gamma,
            tau=settings.tau,
        )

    def learn(self, new: Experiences, *, cost: float, rng: np.random.Generator) -> float:
        """Score the network on new experiences, then learn from all; return the mean loss.

        Args:
            new: later than all before; may be none if there is something to remember.
            cost: of a change of position, in units.
            rng: of this cycle.
        """
        settings, module = self._settings, self.module
        self.digests = {"features": digest(new.state, new.after, new.ret)}
        if module.updates:
            self.skill.add(self.advantage(new.state), new.ret)
        self.memory.add(new)
        data = DQNDataModule(
            self.memory, updates=settings.updates, batch_size=settings.batch_size, rng=rng
        )
        self.digests["batches"] = digest(data.drawn)
        module.cost, module.loss_sum = cost, 0.0
        before = module.updates
        fit(module, data, seed=int(rng.integers(2**63)))
        return module.loss_sum / (module.updates - before)

    def advantage(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
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
            "skill": (self.skill.gain, self.skill.square),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the one that ``state`` was taken from."""
        self.module.load_state_dict(state["module"])
        self.module.optimizer_state = copy.deepcopy(state["optimizer"])
        self.module.updates = state["updates"]
        self.memory.load_state_dict(state["memory"])
        self.skill.gain, self.skill.square = state["skill"]

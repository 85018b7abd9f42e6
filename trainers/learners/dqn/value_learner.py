"""The core of the DQN: tests its network on new transitions, then trains it. Any inputs will do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.digest import digest
from datamodules.dqn_datamodule import DQNDataModule
from datamodules.plain import copied
from datamodules.replay_buffer import Experiences, ReplayBuffer
from trainers.config.learners import DQNSettings
from trainers.learners.dqn.agent import ValueNet
from trainers.learners.dqn.module import DQNModule
from trainers.learners.learner import Context
from trainers.learners.lightning import fit, seeded

NAME = "dqn"


class SkillTest:
    """A running t-test: does the advantage h predict returns r that were not learned yet?

    A network finds patterns even in noise. If there is nothing to find,
    t = sum(h r) / sqrt(sum(h^2 r^2)) is about standard normal. Older bars count less: half as much
    after 3,000 bars.
    """

    PROVEN = 2.0
    HALF_LIFE = 3000

    def __init__(self) -> None:
        self.gain, self.square = 0.0, 0.0

    @property
    def proven(self) -> bool:
        """Whether the advantage has predicted returns that were not learned yet: t > 2."""
        return self.gain > self.PROVEN * math.sqrt(self.square)

    def add(self, advantage: NDArray[np.float32], ret: NDArray[np.float32]) -> None:
        """Add new bars.

        Args:
            advantage: ``(N,)`` the advantages computed before the returns were known, in units.
            ret: ``(N,)`` the returns, in units.
        """
        earned = advantage.astype(np.float64) * ret
        kept = 0.5 ** (len(ret) / self.HALF_LIFE)
        self.gain = kept * self.gain + float(earned.sum())
        self.square = kept * self.square + float((earned**2).sum())


class ValueLearner:
    """The value network with its replay buffer, its skill test and its training.

    Args:
        context: the session's settings, which seed the weights.
        settings: the settings of the DQN.
        width: D, the number of the network's inputs.

    Attributes:
        digests: hashes of the last training's inputs, by stage.
        memory: the replay buffer.
        skill: the test of the network on transitions that it has not learned from.
        module: the network and its training.
    """

    def __init__(self, context: Context, settings: DQNSettings, width: int) -> None:
        self._settings = settings
        self.digests: dict[str, str] = {}
        self.memory = ReplayBuffer(settings.memory, width)
        self.skill = SkillTest()
        self.module = DQNModule(
            seeded(lambda: ValueNet(width), context, NAME),
            learning_rate=settings.learning_rate,
            gamma=settings.gamma,
            tau=settings.tau,
        ).eval()

    def learn(self, new: Experiences, *, cost: float, rng: np.random.Generator) -> float:
        """Test the network on new transitions, then train it on all; return the mean loss.

        Args:
            new: the new transitions, later than all before; may be empty if the memory is not.
            cost: the cost of a change of position, in units.
            rng: the cycle's random generator.
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
        """Return the advantages h ``(N,)`` of inputs ``(N, D)``, in units."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self.module.net(torch.from_numpy(state)).numpy()
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, for ``load_state_dict``."""
        return {
            "module": copied(self.module.state_dict()),
            "optimizer": copied(self.module.optimizer_state),
            "updates": self.module.updates,
            "memory": self.memory.state_dict(),
            "skill": (self.skill.gain, self.skill.square),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.module.load_state_dict(state["module"])
        self.module.optimizer_state = copied(state["optimizer"])
        self.module.updates = state["updates"]
        self.memory.load_state_dict(state["memory"])
        self.skill.gain, self.skill.square = state["skill"]

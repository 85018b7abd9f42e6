"""The DQN: decides whether to be in the market or out of it. Lightning trains it on transitions.

``trainers.learners.dqn.module`` describes the method.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.dqn_datamodule import transitions_of
from datamodules.features import raw_columns
from datamodules.indicators import RSI_BARS
from datamodules.mids import newest_half_spread_bps
from datamodules.plain import copied
from datamodules.replay_buffer import Experiences, ReplayBuffer
from datamodules.snapshot import NotEnoughBarsError, Snapshot
from datamodules.transitions import STATE_BARS, Action, Transitions, typical_move
from datamodules.windows import gap_free, gaps_of
from streaming.bars import Bars
from trainers.config.learners import DQNSettings
from trainers.learners.dqn.agent import WIDTH, Agent, ValueNet, inputs_of, state_of
from trainers.learners.dqn.module import DQNModule
from trainers.learners.dqn.value_learner import NAME, ValueLearner
from trainers.learners.learner import Context, Model
from trainers.learners.stacked import Question, Stackable

# The number of raw bars that an exported agent takes: its state, and the warm-up of the RSI in it.
AGENT_BARS = STATE_BARS + RSI_BARS

# The number of newest transitions that a typical move is the mean of: enough to know it within 5 %,
# and few enough to follow a change soon.
UNIT_BARS = 600


class DQN(Stackable):
    """The learner; it acts with a copy of the network, never with the one being trained.

    Attributes:
        learning_rate: AdamW step size, from the next training on.
        epsilon: chance of a random action in the next training episode; its reward is a metric,
            and nothing else depends on it.
        episodes: the number of training episodes so far.
        unit_bps: a typical move of one bar, bp: the unit of the network's inputs and output.
        core: the network, its memory and its training.
        serving: the model that acts; None before the first training.
    """

    name, kind = NAME, "agent"
    adjustable = ("learning_rate", "epsilon")

    def __init__(self, context: Context, settings: DQNSettings = DQNSettings()) -> None:
        super().__init__()
        self._settings, self._fee_bps = settings, context.fee_bps
        self.learning_rate = settings.learning_rate
        self.epsilon = 1.0
        self.episodes = 0
        self.unit_bps = 1.0
        self.core = ValueLearner(context, settings, WIDTH)
        self.serving: Agent | None = None

    @property
    def memory(self) -> ReplayBuffer:
        """The replay buffer."""
        return self.core.memory

    @property
    def digests(self) -> dict[str, str]:
        """The hashes of the last training's inputs, by stage."""
        return self.core.digests

    @property
    def _module(self) -> DQNModule:
        return self.core.module

    def question(self, bars: Bars) -> Question | None:
        if self.serving is None or not _is_enough(bars):
            return None
        return Question(self.serving, raw_columns(bars[-AGENT_BARS:]))

    def forecast(self, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        if (question := self.question(bars)) is None:
            return None
        if (said := self.answered.get(question)) is not None:
            return _answer(said[None])
        assert self.serving is not None
        # As ``predict``: NumPy makes the same state in a fifth of torch's time.
        state = torch.from_numpy(state_of(question.raw[None], np))
        with torch.inference_mode():
            return _answer(self.serving.decide(state))

    def forecast_each(self, bars: Bars, n: int) -> NDArray[np.int64]:
        found = np.full(n, -1)
        if self.serving is None:
            return found
        bars = bars[max(0, len(bars) - n - AGENT_BARS + 1) :]
        broken = gaps_of(bars, RSI_BARS)[AGENT_BARS - STATE_BARS + 1 :]
        at = np.flatnonzero(gap_free(broken, STATE_BARS - 1))
        if len(at):
            raw = np.lib.stride_tricks.sliding_window_view(raw_columns(bars), AGENT_BARS, axis=0)
            with torch.inference_mode():
                said = self.serving(torch.from_numpy(raw[at].transpose(0, 2, 1)))[:, 2:]
            found[at + n - (len(bars) - AGENT_BARS + 1)] = said.amax(1).numpy()
        return found

    def adjust(self, name: str, value: float) -> None:
        setattr(self, name, value)

    @staticmethod
    def predict(model: Model, bars: Bars) -> tuple[int, tuple[float, float]] | None:
        """Return a model's action for the next bar, and the advantages of being out and in, bp.

        None if there are fewer than 24 bars, a gap in the newest ten, or a broken bar that their
        RSI looks back on.
        """
        if not _is_enough(bars):
            return None
        raw = torch.from_numpy(raw_columns(bars[-AGENT_BARS:])[None])
        with torch.inference_mode():
            return _answer(model(raw))

    def learn(self, snapshot: Snapshot) -> dict[str, float]:
        settings = self._settings
        transitions = transitions_of(snapshot)
        if len(self.memory) == 0 and len(transitions.ret) == 0:  # a gap in every transition
            raise NotEnoughBarsError(0, 1, "experiences without a gap")
        rng = snapshot.rng(self.name)
        self.unit_bps = typical_move(transitions.ret[-UNIT_BARS:], self.unit_bps)
        cost_bps = self._fee_bps + float(newest_half_spread_bps(snapshot.bars)[0])
        self._module.learning_rate = self.learning_rate
        new = experiences_of(transitions, self.unit_bps, after=self.memory.newest)
        loss = self.core.learn(new, cost=cost_bps / self.unit_bps, rng=rng)
        self.serving = Agent(
            copy.deepcopy(self._module.net),
            unit_bps=self.unit_bps,
            cost_bps=cost_bps,
            proven=self.core.skill.proven,
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
        self.epsilon = max(settings.epsilon_min, self.epsilon * settings.epsilon_decay)
        return report

    def _play(self, transitions: Transitions, cost_bps: float, rng: np.random.Generator) -> float:
        """Play the snapshot as an epsilon-greedy episode; return the mean reward per bar, bp."""
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
        """Return the model that acts and the number of raw bars that it takes, if any."""
        return None if self.serving is None else (self.serving, AGENT_BARS)

    def state_dict(self) -> dict[str, Any]:
        return {
            **self.core.state_dict(),
            "unit_bps": self.unit_bps,
            "episodes": self.episodes,
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "serving": None if self.serving is None else copied(self.serving.state_dict()),
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


def _is_enough(bars: Bars) -> bool:
    """Return whether there are 24 bars without what keeps ``predict`` from an answer."""
    if len(bars) < AGENT_BARS:
        return False
    return not gaps_of(bars[-AGENT_BARS:], RSI_BARS)[1 - STATE_BARS :].any()


def _answer(said: Tensor) -> tuple[int, tuple[float, float]]:
    out, into, buy, sell = said[0].tolist()
    return int(max(buy, sell)), (out, into)


def experiences_of(transitions: Transitions, unit_bps: float, *, after: int = -1) -> Experiences:
    """Return transitions as the network's inputs and returns, in units.

    Args:
        transitions: the transitions of a snapshot.
        unit_bps: a typical move of one bar, bp.
        after: open time of a bar, ns; only transitions of later bars are returned.
    """
    new = transitions.ts > after
    rows, unit = torch.from_numpy(transitions.rows[new]), torch.tensor(unit_bps)
    state, following = (inputs_of(part, unit).numpy() for part in (rows[:, :-1], rows[:, 1:]))
    ret = (transitions.ret[new] / unit_bps).astype(np.float32)
    return Experiences(state, following, ret, transitions.ts[new])


def held_by(actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions ``(N,)``, 0 or 1, after each of the actions ``(N,)``, beginning at 0."""
    moves = np.isin(actions, (Action.BUY, Action.SELL))
    last = np.maximum.accumulate(np.where(moves, np.arange(len(actions)), -1))
    return np.where(last >= 0, actions[last] == Action.BUY, False).astype(np.int64)

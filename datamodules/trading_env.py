"""Transitions as a Gymnasium environment, for agents of other libraries.

    Transitions -> TradingEnv -> Stable-Baselines3, CleanRL, ...

One step is one bar; an episode is one stretch without gaps. The project's own DQN does not need it:
prices do not react to us, so it learns from the same transitions without steps.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from datamodules.indicators import TINY
from datamodules.mids import BP
from datamodules.transitions import STATE_BARS, STATE_COLUMNS, Action, Transitions, typical_move

N_STATE = STATE_BARS * len(STATE_COLUMNS)

# Inputs of a network are clipped at this size: larger moves teach nothing that smaller ones do not.
BOUND = 10.0

Observation = NDArray[np.float32]


class TradingEnv(gym.Env[Observation, np.int64]):
    """Be in (1) or out of (0) the market, bar by bar.

    Actions: 0 HOLD keeps the position, 1 BUY goes in, 2 SELL goes out. Reward, bp: the new
    position times the return of the bar that follows, less ``cost_bps`` if the position changed.
    Observation, ``(31,)`` float32 from -10 to 10, known when the newest bar of the state closes:

        0:10   close against the newest, in units of ``unit_bps``; oldest bar first
        10:20  volume over its mean of the 10 bars, less 1
        20:30  RSI from -1 to 1
        30     position, 0 or 1

    A market has no end, so nothing is ever terminated; where a stretch of data ends, an
    episode is truncated, and the next ``reset`` starts at the next stretch, after the last at the
    first. ``reset(seed=...)`` starts at the first; nothing is random.

    Args:
        transitions: those of one symbol, oldest first.
        cost_bps: cost of a change of position, bp: fee and half-spread.
        unit_bps: a typical move of one bar, bp; by default the mean of those that moved.

    Raises:
        ValueError: if there are no transitions.
    """

    # Gymnasium asks for the ways in which it can be rendered: there is none.
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (declared so by Gymnasium)

    def __init__(
        self, transitions: Transitions, *, cost_bps: float = 10.0, unit_bps: float | None = None
    ) -> None:
        rows, ret = transitions.rows, transitions.ret
        if len(ret) == 0:
            raise ValueError("an environment needs at least one transition, got none")
        self.unit_bps = typical_move(ret) if unit_bps is None else unit_bps
        self.cost_bps = cost_bps
        self._states = observed(rows[:, :-1], self.unit_bps)  # (N, 30)
        self._next_states = observed(rows[:, 1:], self.unit_bps)  # (N, 30)
        self._ret: list[float] = ret.tolist()

        # Whether transition i is the last of its stretch: the next does not start where it ends.
        broken = (rows[1:, :-1] != rows[:-1, 1:]).any(axis=(1, 2))
        self._last = [*broken.tolist(), True]
        self._at = 0  # the transition that the next step makes
        self._position = 0
        self._started = False
        self.observation_space = gym.spaces.Box(-BOUND, BOUND, (N_STATE + 1,), np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode, out of the market.

        Args:
            seed: any; starts over at the first stretch.
            options: ``{"start": i}`` starts at transition ``i`` instead.

        Returns:
            The observation, and an empty dictionary.

        Raises:
            ValueError: if there is no transition ``start``.
        """
        super().reset(seed=seed)
        start = (options or {}).get("start")
        if start is not None:
            if not 0 <= start < len(self._ret):
                raise ValueError(f"start: got {start!r}; allowed: 0 to {len(self._ret) - 1}")
            self._at = int(start)
        elif seed is not None or not self._started:
            self._at = 0
        else:
            self._at = self._next_stretch()
        self._started, self._position = True, 0
        return self._observe(self._states[self._at]), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold the position that ``action`` leads to over the next bar.

        Returns:
            The observation after the bar, the reward (bp), terminated (always False),
            truncated (at the end of a stretch), and ``{"position": 0 or 1}``.

        Raises:
            ValueError: if ``action`` is none of 0, 1, 2.
        """
        if action not in (0, 1, 2):
            raise ValueError(f"action: got {action!r}; allowed: 0 HOLD, 1 BUY, 2 SELL")
        i, before = self._at, self._position
        if action == Action.BUY:
            self._position = 1
        elif action == Action.SELL:
            self._position = 0
        cost = self.cost_bps if self._position != before else 0.0
        reward = self._position * self._ret[i] - cost
        truncated = self._last[i]
        self._at = i if truncated else i + 1
        after = self._observe(self._next_states[i])
        return after, reward, False, truncated, {"position": self._position}

    def _observe(self, state: Observation) -> Observation:
        seen = np.empty(N_STATE + 1, np.float32)
        seen[:-1], seen[-1] = state, self._position
        return seen

    def _next_stretch(self) -> int:
        """Return where the stretch after the present one starts."""
        return (self._last.index(True, self._at) + 1) % len(self._ret)


def observed(states: NDArray[np.float64], unit_bps: float) -> Observation:
    """Return states without price level and volume unit, as the DQN's network sees them.

    Args:
        states: ``(N, 10, 3)`` closes (quote currency), volumes (base currency), RSI (0 to 100).
        unit_bps: a typical move of one bar, bp.

    Returns:
        ``(N, 30)`` float32, -10 to 10: 10 closes, 10 volumes, 10 RSI.
    """
    close, volume, strength = (states[..., i] for i in range(len(STATE_COLUMNS)))  # (N, 10)
    moves = (close / close[:, -1:] - 1) * BP / unit_bps
    volume = volume / (volume.mean(-1, keepdims=True) + TINY) - 1
    inputs = np.concatenate([moves, volume, strength / 50 - 1], axis=-1)
    return inputs.clip(-BOUND, BOUND).astype(np.float32)

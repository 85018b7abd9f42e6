"""The newest transitions, preallocated, for sampling with replacement."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Experiences(NamedTuple):
    """Transitions as a value network with D inputs learns from them, oldest first.

    Attributes:
        state: ``(N, D)`` float32, known before a bar.
        after: ``(N, D)`` float32, known when that bar closes.
        ret: ``(N,)`` float32, return of that bar, in units of a typical move at that time.
        ts: ``(N,)`` int64, rising: open of that bar, ns.
    """

    state: NDArray[np.float32]
    after: NDArray[np.float32]
    ret: NDArray[np.float32]
    ts: NDArray[np.int64]


Sample = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class ReplayBuffer:
    """A bounded store of transitions; new ones overwrite the oldest.

    Args:
        capacity: how many transitions are kept.
        width: D, the inputs of the network.
    """

    def __init__(self, capacity: int, width: int) -> None:
        self.capacity = capacity
        self._state = np.zeros((capacity, width), np.float32)
        self._after = np.zeros((capacity, width), np.float32)
        self._ret = np.zeros(capacity, np.float32)
        self._added = 0
        self.newest = -1  # open of the newest bar added, ns

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, transitions: Experiences) -> int:
        """Add the transitions newer than the newest one here; return how many were added."""
        new = transitions.ts > self.newest
        n = int(new.sum())
        if n == 0:
            return 0
        kept = min(n, self.capacity)
        slots = np.arange(self._added + n - kept, self._added + n) % self.capacity
        self._state[slots] = transitions.state[new][-kept:]
        self._after[slots] = transitions.after[new][-kept:]
        self._ret[slots] = transitions.ret[new][-kept:]
        self._added += n
        self.newest = int(transitions.ts[-1])
        return n

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Draw transitions uniformly with replacement; return ``shape`` indices for ``take``.

        Raises:
            ValueError: if there is nothing to draw from.
        """
        if len(self) == 0:
            raise ValueError("the replay buffer is empty: add transitions before sampling")
        return rng.integers(0, len(self), shape)

    def take(self, drawn: NDArray[np.int64]) -> Sample:
        """Return ``(..., D)`` states, ``(..., D)`` states after and ``(...,)`` returns."""
        return self._state[drawn], self._after[drawn], self._ret[drawn]

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to restore this buffer."""
        n = len(self)
        return {
            "state": self._state[:n].copy(),
            "after": self._after[:n].copy(),
            "ret": self._ret[:n].copy(),
            "added": self._added,
            "newest": self.newest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the buffer that ``state`` was taken from; its capacity must be the same."""
        n = len(state["ret"])
        self._state[:n], self._after[:n] = state["state"], state["after"]
        self._ret[:n] = state["ret"]
        self._added, self.newest = state["added"], state["newest"]

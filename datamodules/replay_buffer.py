"""The newest experiences, preallocated, for sampling with replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.transitions import LENGTH, STATE, Transitions


class ReplayBuffer:
    """A bounded memory of transitions; the oldest are overwritten.

    Args:
        capacity: transitions kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._rows = np.zeros((capacity, LENGTH + 1, len(STATE)))
        self._ret = np.zeros(capacity)
        self._added = 0
        self._newest = -1  # open of the newest bar added, ns

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, transitions: Transitions) -> int:
        """Add those newer than the newest one here; return how many that were."""
        new = transitions.ts > self._newest
        rows, ret = transitions.rows[new], transitions.ret[new]
        if len(ret) == 0:
            return 0
        kept = min(len(ret), self.capacity)
        slots = np.arange(self._added + len(ret) - kept, self._added + len(ret)) % self.capacity
        self._rows[slots], self._ret[slots] = rows[-kept:], ret[-kept:]
        self._added += len(ret)
        self._newest = int(transitions.ts[-1])
        return len(ret)

    def sample(
        self, rng: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw uniformly with replacement.

        Returns:
            ``shape + (11, 3)`` rows and ``shape`` returns in bp, as in ``Transitions``.

        Raises:
            ValueError: if there is nothing to draw from.
        """
        if len(self) == 0:
            raise ValueError("the replay buffer is empty: add transitions before sampling")
        drawn = rng.integers(0, len(self), shape)
        return self._rows[drawn], self._ret[drawn]

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to go on as this one."""
        n = len(self)
        rows, ret = self._rows[:n].copy(), self._ret[:n].copy()
        return {"rows": rows, "ret": ret, "added": self._added, "newest": self._newest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the buffer that ``state`` was taken from (of the same capacity)."""
        n = len(state["ret"])
        self._rows[:n], self._ret[:n] = state["rows"], state["ret"]
        self._added, self._newest = state["added"], state["newest"]

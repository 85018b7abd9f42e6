"""The experts that see one row a bar, not windows: ``online`` and ``forest``.

    online   logistic regression, learned row by row as the labels come
    forest   boosted trees, which also see how busy the market is (``ACTIVITY``)

Their errors are not those of the experts fitted on windows, so a mean of all is better than each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datamodules.features import COLUMNS
from datamodules.labelled_rows import LabelledRows
from datamodules.plain import copied
from trainers.learners import layers
from trainers.learners.cnn.forest import FEWEST_ROWS, Forest
from trainers.learners.linear import CLIP_SD, OnlineLogistic

NEW_ROWS = 0.05


def is_due(ts: NDArray[np.int64], until: int) -> bool:
    """Return whether a twentieth of the rows is new to what is fitted rarely.

    So it lags by a twentieth of the history at most, and its cost grows with the logarithm of the
    history until that is full.

    Args:
        ts: ``(N,)`` times of all rows, ns.
        until: the newest time that it has seen, ns.
    """
    return bool((ts > until).sum() >= NEW_ROWS * len(ts))


class RowExperts(nn.Module):
    """``(B, F + 5)`` float64 rows of features and activity -> ``(B, 2)`` logits of a rise.

    Attributes:
        mean, deviation, weights: ``(F,)``, ``(F,)`` and ``(1, F)`` float64 of ``online``.
        intercept: ``(1,)`` float64, likewise.
        forest: the forest.
    """

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    intercept: Tensor

    def __init__(self, features: str) -> None:
        super().__init__()
        n = len(COLUMNS[features])
        self.register_buffer("mean", torch.zeros(n, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(n, dtype=torch.float64))
        self.register_buffer("weights", torch.zeros(1, n, dtype=torch.float64))
        self.register_buffer("intercept", torch.zeros(1, dtype=torch.float64))
        self.forest = Forest()

    def forward(self, rows: Tensor) -> Tensor:
        features = rows[:, : len(self.mean)]
        standard = ((features - self.mean) / self.deviation).clip(-CLIP_SD, CLIP_SD)
        online = layers.product(standard[:, None], self.weights, self.intercept)[:, 0, 0]
        return torch.stack([online, self.forest(rows)], 1)


class RowLearner:
    """Learns both experts from cycle to cycle.

    Attributes:
        experts: what was learned so far.
    """

    def __init__(self, features: str) -> None:
        self.experts = RowExperts(features)
        self._online = OnlineLogistic()
        self._learned_until = 0  # open time of the newest bar whose label was known, ns
        self._grown_until = 0  # the same when the forest was grown

    def learn(self, rows: LabelledRows, rng: np.random.Generator) -> None:
        """Learn from all rows that are known.

        Args:
            rows: the features and the activity, ``(N, F + 5)``, oldest first.
            rng: source of the forest's seed, drawn from when it is grown.
        """
        x, up, ts = rows
        features = x[:, : len(self.experts.mean)]
        if (new := ts > self._learned_until).any():
            self._online.learn(features[new], up[new])
            self._learned_until = int(ts[-1])
            for name, numbers in self._online.numbers().items():
                getattr(self.experts, name).copy_(torch.from_numpy(numbers))
        both = len(up) >= FEWEST_ROWS and up.any() and not up.all()
        if both and is_due(ts, self._grown_until):
            self.experts.forest.grow(x, up, int(rng.integers(2**31)))
            self._grown_until = int(ts[-1])

    def state_dict(self) -> dict[str, Any]:
        return {
            "experts": copied(self.experts.state_dict()),
            "online": self._online.state_dict(),
            "learned_until": self._learned_until,
            "grown_until": self._grown_until,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.experts.load_state_dict(state["experts"])
        self._online.load_state_dict(state["online"])
        self._learned_until = state["learned_until"]
        self._grown_until = state["grown_until"]

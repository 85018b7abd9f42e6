"""What the experts said of moves that are not known yet. Pure.

Beyond the next bar, labels come cycles after the forecasts, when other weights serve. An expert is
weighed by what it said at the time: later weights have seen most of that move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.labels import label_prices, moves_over
from datamodules.mids import SPREAD_BARS
from datamodules.windows import gap_free
from streaming.bars import Bars
from trainers.learners.cnn.forecaster import EXPERTS


class Unlabelled(NamedTuple):
    """Forecasts of the experts, oldest first.

    Attributes:
        ts: ``(n,)`` int64, open of the bar at whose close each was made, ns.
        said: ``(n, 6)`` float64, the experts' probabilities of a rise.
    """

    ts: NDArray[np.int64]
    said: NDArray[np.float64]

    def then(self, later: Unlabelled) -> Unlabelled:
        """Return these and later ones."""
        return Unlabelled(*(np.concatenate(pair) for pair in zip(self, later, strict=True)))

    def labelled(
        self, bars: Bars, label: str, horizon: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool], Unlabelled]:
        """Split off the forecasts whose moves are known by now.

        Args:
            bars: ``(T,)`` the bars known now.
            label: the price that was forecast.
            horizon: how many bars ahead.

        Returns:
            ``(k, 6)`` the forecasts of moves that were neither flat nor hidden by a gap; ``(k,)``
            whether the price rose; and the forecasts whose moves are not known yet.
        """
        at = np.searchsorted(bars["ts_open"], self.ts)
        start = max(0, int(at.min(initial=len(bars))) - SPREAD_BARS)
        moved = np.zeros(len(bars))
        if len(bars) - start > horizon:
            part = bars[start:]
            moves = moves_over(label_prices(part, label), horizon)
            moved[start:-horizon] = moves * gap_free(part["gap"][1:], horizon)
        known = at < len(bars) - horizon
        come = moved[at[known]]
        scored = come != 0
        return (
            self.said[known][scored],
            come[scored] > 0,
            Unlabelled(self.ts[~known], self.said[~known]),
        )


NONE = Unlabelled(np.zeros(0, np.int64), np.zeros((0, len(EXPERTS))))

"""The move after each bar: how the next close and mid differ, if that is known. Pure.

All learners of a symbol are scored on the same moves. None crosses a gap in the stream.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.labels import CLOSE
from datamodules.mids import BP
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import Outcomes

BAR_NS = NS_PER_S  # from one bar to the next


class Moves(NamedTuple):
    """The moves after bars, ``(T,)`` each; those after bar ``t`` are known when the next closes.

    Attributes:
        bar: int64, open time of bar ``t``, ns; this and the next two are known when ``t`` closes.
        half_spread_bps: float64, half the spread at the close of bar ``t``, bp of the mid.
        direction: float64, the direction of the newest move up to bar ``t``: 1 or -1; 0 if none.
        moved: float64, the price forecast, of bar ``t + 1`` less that of bar ``t``; 0 if broken or
            waiting.
        ret_bps: float64, return of the mid between these closes, bp; 0 if broken or waiting.
        broken: bool, whether bar ``t + 1`` has a gap before or in it, or is not the next second.
        waiting: bool, whether bar ``t + 1`` is not known yet, as after the last row.
    """

    bar: NDArray[np.int64]
    half_spread_bps: NDArray[np.float64]
    direction: NDArray[np.float64]
    moved: NDArray[np.float64]
    ret_bps: NDArray[np.float64]
    broken: NDArray[np.bool_]
    waiting: NDArray[np.bool_]

    def since(self, start: int) -> Moves:
        """Return the bars from index ``start`` on."""
        return Moves._make(column[start:] for column in self)


def moves_of(outcomes: Outcomes, label: str = CLOSE) -> Moves:
    """Return the moves after the bars of a ledger.

    Args:
        outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        label: the price that was forecast.
    """
    bar, mid = outcomes["bar"].copy(), outcomes["mid"]
    waiting = np.arange(len(bar)) == len(bar) - 1
    broken = np.zeros(len(bar), bool)
    broken[:-1] = (outcomes["gap"][1:] != 0) | (np.diff(bar) != BAR_NS)
    whole = ~(broken | waiting)
    moved, ret_bps = np.zeros(len(bar)), np.zeros(len(bar))
    moved[:-1] = np.diff(outcomes[label])
    ret_bps[:-1] = BP * (mid[1:] / mid[:-1] - 1)
    moved, ret_bps = np.where(whole, moved, 0.0), np.where(whole, ret_bps, 0.0)
    half_spread_bps = outcomes["half_spread_bps"].copy()
    return Moves(bar, half_spread_bps, _direction(moved), moved, ret_bps, broken, waiting)


def _direction(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sign of the newest move before each row that is not 0."""
    at = np.maximum.accumulate(np.where(moved != 0, np.arange(len(moved)), -1))
    newest = np.where(at >= 0, np.sign(moved[at]), 0.0)
    return np.concatenate([np.zeros(min(1, len(moved))), newest[:-1]])

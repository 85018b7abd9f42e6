"""The move after each bar: how the next close and mid differ, if that is known. Pure.

All learners of a symbol are scored on the same moves. None crosses a gap in the stream. They can be
computed piece by piece, as bars come; no bit depends on the pieces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.labels import CLOSE
from datamodules.mids import BP
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import Outcomes

BAR_NS = NS_PER_S  # from one bar to the next

TYPICAL_BARS = 600  # the bars over which a typical move is the mean
FEWEST_MOVES = 30  # the fewest moves for such a mean


class Moves(NamedTuple):
    """The moves after bars, ``(T,)`` each; those after bar ``t`` are known when the next closes.

    Attributes:
        bar: int64, open time of bar ``t``, ns; this and the next five are known when ``t`` closes.
        half_spread_bps: float64, half the spread at the close of bar ``t``, bp of the mid.
        direction: float64, the direction of the newest move up to bar ``t``: 1 or -1; 0 if none.
        typical_bps: float64, mean size of the moves in the ten minutes up to bar ``t``, bp; NaN
            where fewer than ``FEWEST_MOVES`` are known.
        path_bps: float64, the sum of the sizes of all moves up to bar ``t``, bp.
        known: int64, the number of these moves.
        moved: float64, the price forecast, of bar ``t + 1`` less that of bar ``t``; 0 if broken or
            waiting.
        ret_bps: float64, return of the mid between these closes, bp; 0 if broken or waiting.
        broken: bool, whether bar ``t + 1`` has a gap before or in it, or is not the next second.
        waiting: bool, whether bar ``t + 1`` is not known yet, as after the last row.
    """

    bar: NDArray[np.int64]
    half_spread_bps: NDArray[np.float64]
    direction: NDArray[np.float64]
    typical_bps: NDArray[np.float64]
    path_bps: NDArray[np.float64]
    known: NDArray[np.int64]
    moved: NDArray[np.float64]
    ret_bps: NDArray[np.float64]
    broken: NDArray[np.bool_]
    waiting: NDArray[np.bool_]

    def since(self, start: int) -> Moves:
        """Return the bars from index ``start`` on."""
        return Moves._make(column[start:] for column in self)

    def before(self, stop: int) -> Moves:
        """Return the bars before index ``stop``."""
        return Moves._make(column[:stop] for column in self)

    def then(self, later: Moves) -> Moves:
        """Return these bars and later ones."""
        return Moves._make(np.concatenate(pair) for pair in zip(self, later, strict=True))


def moves_of(outcomes: Outcomes, label: str = CLOSE, before: Moves | None = None) -> Moves:
    """Return the moves after the bars of a ledger.

    Args:
        outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        label: the price that was forecast.
        before: the moves after the bars up to the first of ``outcomes``, which waited then; the
            newest ``TYPICAL_BARS`` + 1 are enough. None if there was no bar before.
    """
    before = before if before is not None and len(before.bar) else None
    bar, mid = outcomes["bar"].copy(), outcomes["mid"]
    waiting = np.arange(len(bar)) == len(bar) - 1
    broken = np.zeros(len(bar), bool)
    broken[:-1] = (outcomes["gap"][1:] != 0) | (np.diff(bar) != BAR_NS)
    whole = ~(broken | waiting)
    moved, ret_bps = np.zeros(len(bar)), np.zeros(len(bar))
    moved[:-1] = np.diff(outcomes[label])
    ret_bps[:-1] = BP * (mid[1:] / mid[:-1] - 1)
    moved, ret_bps = np.where(whole, moved, 0.0), np.where(whole, ret_bps, 0.0)
    newest = before.direction[-1] if before else 0.0
    path_bps = _sums_before(np.abs(ret_bps), before.path_bps[-1] if before else 0.0)
    known = _sums_before(whole.astype(np.int64), before.known[-1] if before else 0)
    return Moves(
        bar,
        outcomes["half_spread_bps"].copy(),
        _direction(moved, newest),
        _typical(path_bps, known, before),
        path_bps,
        known,
        moved,
        ret_bps,
        broken,
        waiting,
    )


def _direction(moved: NDArray[np.float64], newest: float) -> NDArray[np.float64]:
    """Return the sign of the newest move before each row that is not 0."""
    at = np.maximum.accumulate(np.where(moved != 0, np.arange(len(moved)), -1))
    signs = np.where(at >= 0, np.sign(moved[at]), newest)
    return np.concatenate([np.full(min(1, len(moved)), newest), signs[:-1]])


def _sums_before(values: NDArray[Any], start: Any) -> NDArray[Any]:
    """Return ``start`` and the sum of the values before each row, in their order."""
    sums: NDArray[Any] = np.cumsum(np.concatenate([[start], values]))[: len(values)]
    return sums


def _typical(
    path_bps: NDArray[np.float64], known: NDArray[np.int64], before: Moves | None
) -> NDArray[np.float64]:
    """Return ``Moves.typical_bps`` of new rows."""
    earlier = 0
    if before:
        earlier = len(before.bar) - 1
        path_bps = np.concatenate([before.path_bps[:-1], path_bps])
        known = np.concatenate([before.known[:-1], known])
    stop = np.arange(earlier, len(known))
    start = np.maximum(stop - TYPICAL_BARS, 0)
    n = known[stop] - known[start]
    size = (path_bps[stop] - path_bps[start]) / np.maximum(n, 1)
    return np.where(n >= FEWEST_MOVES, size, np.nan)

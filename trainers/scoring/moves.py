"""The move after each bar: how a later close and mid differ, if that is known. Pure.

A forecast is about the move over the horizon. A paper account holds its position from bar to bar.
All learners of a symbol are scored on the same moves. None crosses a gap in the stream. They can be
computed piece by piece, as bars come; no bit depends on the pieces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.labels import moves_over
from datamodules.mids import BP
from datamodules.target import NEXT_BAR, Target
from datamodules.windows import gap_free
from streaming.forward_fill import forward_fill
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import Outcomes

TYPICAL_BARS = 600  # the bars over which a typical move is the mean
FEWEST_MOVES = 30  # the fewest moves for such a mean


class Moves(NamedTuple):
    """The moves after bars, ``(T,)`` each.

    Bar ``t``'s move to bar ``t + 1`` is known when that closes, its label when bar
    ``t + horizon`` does.

    Attributes:
        bar: int64, open time of bar ``t``, ns; this and the next five are known when ``t`` closes.
        half_spread_bps: float64, half the spread at the close of bar ``t``, bp of the mid.
        direction: float64, the direction of the newest label known at bar ``t``, 1 or -1; 0 if
            none.
        typical_bps: float64, mean size of the moves in the ten minutes up to bar ``t``, bp; NaN
            where fewer than ``FEWEST_MOVES`` are known.
        path_bps: float64, the sum of the sizes of all moves up to bar ``t``, bp.
        known: int64, the number of these moves.
        moved: float64, the label: the price forecast, of bar ``t + horizon`` less that of bar
            ``t``; 0 if lost or open.
        move_bps: float64, return of the mid between these closes, bp; 0 if lost or open.
        lost: bool, whether a gap has taken the label away.
        open: bool, whether the label is not known yet, as after the last ``horizon`` rows.
        ret_bps: float64, return of the mid from bar ``t`` to ``t + 1``, bp; 0 if broken or waiting.
        broken: bool, whether bar ``t + 1`` has a gap before or in it, or does not follow at once.
        waiting: bool, whether bar ``t + 1`` is not known yet, as after the last row.
    """

    bar: NDArray[np.int64]
    half_spread_bps: NDArray[np.float64]
    direction: NDArray[np.float64]
    typical_bps: NDArray[np.float64]
    path_bps: NDArray[np.float64]
    known: NDArray[np.int64]
    moved: NDArray[np.float64]
    move_bps: NDArray[np.float64]
    lost: NDArray[np.bool_]
    open: NDArray[np.bool_]
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


def moves_of(outcomes: Outcomes, target: Target = NEXT_BAR, before: Moves | None = None) -> Moves:
    """Return the moves after the bars of a ledger.

    Args:
        outcomes: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        target: what was forecast.
        before: the moves after the bars up to the first of ``outcomes`` whose label was open then,
            and those bars; the newest ``TYPICAL_BARS`` of others are enough. None if there was no
            bar before.
    """
    before = before if before is not None and len(before.bar) else None
    bar, n = outcomes["bar"].copy(), len(outcomes)
    follows = (outcomes["gap"][1:] == 0) & (np.diff(bar) == target.bar_seconds * NS_PER_S)
    broken, waiting, ret_bps = _over(1, follows, outcomes["mid"])
    lost, is_open, move_bps = _over(target.horizon, follows, outcomes["mid"])
    moved = np.zeros(n)
    if n > target.horizon:
        moved[: -target.horizon] = moves_over(outcomes[target.label], target.horizon)
    moved = np.where(lost | is_open, 0.0, moved)
    opened = int(before.open.sum()) if before else 0  # of these rows, as many were there before
    path_bps = _sums_before(np.abs(ret_bps), before.path_bps[-opened] if before else 0.0)
    whole = ~(broken | waiting)
    known = _sums_before(whole.astype(np.int64), before.known[-opened] if before else 0)
    return Moves(
        bar,
        outcomes["half_spread_bps"].copy(),
        _directions(moved, before.direction[-opened:] if before else np.zeros(0), target.horizon),
        _typical(path_bps, known, before, opened),
        path_bps,
        known,
        moved,
        move_bps,
        lost,
        is_open,
        ret_bps,
        broken,
        waiting,
    )


def _over(
    horizon: int, follows: NDArray[np.bool_], mid: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Return what is known of the moves over a horizon.

    Args:
        horizon: bars.
        follows: ``(T - 1,)`` whether each bar but the first follows the one before without a gap.
        mid: ``(T,)``.

    Returns:
        ``(T,)`` whether the move is hidden by a gap, whether it is not known yet, and the return
        of the mid, bp; 0 where it is hidden or unknown.
    """
    n = len(mid)
    hidden, bps = np.zeros(n, bool), np.zeros(n)
    unknown = np.arange(n) >= n - horizon
    if n > horizon:
        hidden[:-horizon] = ~gap_free((~follows).astype(np.int64), horizon)
        bps[:-horizon] = BP * (mid[horizon:] / mid[:-horizon] - 1)
    return hidden, unknown, np.where(hidden | unknown, 0.0, bps)


def _directions(
    moved: NDArray[np.float64], before: NDArray[np.float64], horizon: int
) -> NDArray[np.float64]:
    """Return ``Moves.direction`` of rows, of the first of which it is known.

    Args:
        moved: ``(T,)`` the labels.
        before: ``(k,)`` the directions of the first rows, whose labels were open before.
        horizon: when a label is known, bars.
    """
    first = np.concatenate([before, np.zeros(horizon - len(before))])
    signs = forward_fill(np.sign(moved), first[-1])
    return np.concatenate([first, signs[:-horizon]])[: len(moved)]


def _sums_before(values: NDArray[Any], start: Any) -> NDArray[Any]:
    """Return ``start`` and the sum of the values before each row, in their order."""
    sums: NDArray[Any] = np.cumsum(np.concatenate([[start], values]))[: len(values)]
    return sums


def _typical(
    path_bps: NDArray[np.float64], known: NDArray[np.int64], before: Moves | None, opened: int
) -> NDArray[np.float64]:
    """Return ``Moves.typical_bps`` of new rows."""
    earlier = 0
    if before:
        earlier = len(before.bar) - opened
        path_bps = np.concatenate([before.path_bps[:-opened], path_bps])
        known = np.concatenate([before.known[:-opened], known])
    stop = np.arange(earlier, len(known))
    start = np.maximum(stop - TYPICAL_BARS, 0)
    n = known[stop] - known[start]
    size = (path_bps[stop] - path_bps[start]) / np.maximum(n, 1)
    return np.where(n >= FEWEST_MOVES, size, np.nan)

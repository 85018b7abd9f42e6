"""Bars -> one-bar transitions for reinforcement learning. Pure; none crosses a gap.

Prices do not react to us, so a transition has no action: what any position would have earned
follows from the return. Where there is no gap, the state of transition ``i`` is bars ``i + 50`` to
``i + 59`` and is known when the last of them closes.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.features import WARMUP_BARS
from datamodules.indicators import RSI_BARS, rsi
from datamodules.mids import BP, mids
from datamodules.windows import gap_free, gaps_of
from streaming.bars import Bars

STATE_BARS = 10
STATE_COLUMNS = ("close", "volume", "rsi_14")


class Action(enum.IntEnum):
    """What an agent decides at a bar's close; the taker's side of a trade is a ``Side``."""

    HOLD = 0  # keeps the position
    BUY = 1  # goes in
    SELL = 2  # goes out


class Transitions(NamedTuple):
    """Transitions of one symbol, oldest first.

    Attributes:
        rows: ``(N, 11, 3)`` float64: the state is rows 0 to 9, the next state rows 1 to 10.
        ret: ``(N,)`` float64, return of the mid over the bar that leads to the next state, bp;
            a return of closes would count the bounce between bid and ask as a profit.
        ts: ``(N,)`` int64, open of that bar, ns.
    """

    rows: NDArray[np.float64]
    ret: NDArray[np.float64]
    ts: NDArray[np.int64]


def state_rows(bars: Bars) -> NDArray[np.float64]:
    """Return ``(T - 49, 3)`` float64, the ``STATE_COLUMNS``; row ``i`` is bar ``i + 49``."""
    n = len(bars) - WARMUP_BARS
    close = bars["close"]
    return np.stack([close[-n:], bars["volume"][-n:], rsi(close)[-n:]], axis=1)


def make_transitions(bars: Bars) -> Transitions:
    """Build the transitions of one symbol.

    Args:
        bars: ``(T,)`` of dtype ``BAR``.

    Returns:
        ``T - 49 - 11`` transitions, fewer where gaps cut some out.

    Raises:
        ValueError: if there are 60 bars or fewer.
    """
    needed = WARMUP_BARS + STATE_BARS + 1
    if len(bars) <= needed:
        raise ValueError(f"transitions need more than {needed} bars, got {len(bars)}")
    rows = state_rows(bars)
    views = np.lib.stride_tricks.sliding_window_view(rows, STATE_BARS + 1, axis=0).transpose(
        0, 2, 1
    )
    mid = mids(bars)[WARMUP_BARS:]
    ret = BP * (mid[STATE_BARS:] / mid[STATE_BARS - 1 : -1] - 1)
    ts = bars["ts_open"][WARMUP_BARS + STATE_BARS :]
    whole = gap_free(gaps_of(bars, RSI_BARS)[WARMUP_BARS:], STATE_BARS + 1)
    # The product's definition counts T - 60 transitions: the oldest is left out.
    whole[0] = False
    return Transitions(views[whole], ret[whole], ts[whole])


def typical_move(ret: NDArray[np.float64], default: float = 1.0) -> float:
    """Return the mean absolute return of the bars that moved, bp; ``default`` if none did.

    Args:
        ret: ``(N,)`` returns, bp.
        default: bp.
    """
    moved = np.abs(ret[ret != 0])
    return float(moved.mean()) if len(moved) else default

"""A paper account that follows one learner's signals: out of the market or in it by one unit.

Pure. BUY goes in, SELL goes out, anything else keeps the position. A change costs the fee and
half the spread, at the bar at whose close it was decided. A gap takes the account out at the
last known price, which costs the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.transitions import Action
from trainers.scoring.scored import Scored

KEEP, OUT, IN = -1, 0, 1


class Account(NamedTuple):
    """Where a paper account stands after a bar.

    Attributes:
        position: 0 or 1.
        equity_bps: the profit so far, costs paid, bp.
        entered_bps: that profit before the open trade began, bp.
    """

    position: int = OUT
    equity_bps: float = 0.0
    entered_bps: float = 0.0


class Paper(NamedTuple):
    """A paper account: four columns per bar, ``(T,)``, and two per closed trade, ``(K,)``.

    Attributes:
        position: int8, 0 or 1, held from the bar's close to the next.
        changes: int64, the changes of position at the bar's close; 2 if a gap undid one at once.
        gross_bps: float64, the profit before costs, bp.
        net_bps: float64, the profit less the costs of the changes, bp.
        closed: int64, index of the bar at which the trade was closed.
        profit_bps: float64, the trade's profit, both costs paid, bp.
        after: the account after the last bar.
    """

    position: NDArray[np.int8]
    changes: NDArray[np.int64]
    gross_bps: NDArray[np.float64]
    net_bps: NDArray[np.float64]
    closed: NDArray[np.int64]
    profit_bps: NDArray[np.float64]
    after: Account

    def since(self, start: int) -> Paper:
        """Return the bars from index ``start`` on, and the trades closed at them."""
        late = self.closed >= start
        return Paper(
            self.position[start:],
            self.changes[start:],
            self.gross_bps[start:],
            self.net_bps[start:],
            self.closed[late] - start,
            self.profit_bps[late],
            self.after,
        )

    def then(self, later: Paper) -> Paper:
        """Return these bars and later ones, whose account continues this one."""
        return Paper(
            np.concatenate([self.position, later.position]),
            np.concatenate([self.changes, later.changes]),
            np.concatenate([self.gross_bps, later.gross_bps]),
            np.concatenate([self.net_bps, later.net_bps]),
            np.concatenate([self.closed, later.closed + len(self.net_bps)]),
            np.concatenate([self.profit_bps, later.profit_bps]),
            later.after,
        )


NEW_ACCOUNT = Account()


def paper_of(scored: Scored, fee_bps: float, before: Account = NEW_ACCOUNT) -> Paper:
    """Trade on a learner's signals; no bit depends on the pieces in which bars are handed in.

    Args:
        scored: the learner's forecasts and the moves.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        before: the account before the first bar.
    """
    moves = scored.moves
    # Each bar has two moments: its close, when a signal is followed, and a gap after it.
    level = _followed(_targets(scored.signal, moves.broken), before.position)
    steps = np.diff(level, prepend=np.int8(before.position))
    cash = -np.repeat(fee_bps + moves.half_spread_bps, 2) * np.abs(steps)
    position = level[0::2]
    gross = position * moves.ret_bps
    cash[1::2] += gross
    # A trade's profit is a difference of two sums in order of time: it may have begun long ago.
    equity = np.cumsum(np.concatenate([[before.equity_bps], cash]))
    entered, exits = equity[:-1][steps > 0], np.flatnonzero(steps < 0)
    if before.position == IN:
        entered = np.concatenate([[before.entered_bps], entered])
    open_since = float(entered[-1]) if len(entered) else before.entered_bps
    return Paper(
        position,
        np.abs(steps).reshape(-1, 2).sum(axis=1, dtype=np.int64),
        gross,
        cash.reshape(-1, 2).sum(axis=1),
        exits // 2,
        equity[1:][exits] - entered[: len(exits)],
        Account(int(level[-1]) if len(level) else before.position, float(equity[-1]), open_since),
    )


def _targets(signal: NDArray[np.int8], broken: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the target position at each moment, ``(2T,)``: IN, OUT or KEEP."""
    targets = np.full((len(signal), 2), KEEP, np.int8)
    targets[signal == Action.BUY, 0] = IN
    targets[signal == Action.SELL, 0] = OUT
    targets[broken, 1] = OUT
    return targets.reshape(-1)


def _followed(targets: NDArray[np.int8], before: int) -> NDArray[np.int8]:
    """Return the position after each moment, ``(2T,)``: the newest target."""
    at = np.maximum.accumulate(np.where(targets != KEEP, np.arange(len(targets)), -1))
    return np.where(at >= 0, targets[at], np.int8(before))

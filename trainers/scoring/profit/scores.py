"""The scores of a paper account, each with its interval. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.batches import Batches
from trainers.scoring.interval import Estimate, rate_of
from trainers.scoring.moves import Moves
from trainers.scoring.profit.fall import Fall

# The numbers of a bar of an account: profit after costs and before, bp, and changes of position.
NET, GROSS, CHANGES = range(3)

# The numbers of a bar whose close moved: cost of a change of position, and size of the move, bp.
COST, SIZE = range(2)


def account(bars: Batches, fall: Fall, held: int) -> dict[str, Estimate]:
    """Return the scores of an account's bars.

    Args:
        bars: the account, from the first forecast on.
        fall: the deepest fall of its profit after costs.
        held: the number of these bars whose return is known, > 0.
    """
    net = bars.sum_of(NET)
    return {
        "pnl_bps": net,
        "gross_bps": bars.sum_of(GROSS),
        "average_reward": _a_bar(net, held),
        "turnover": _a_bar(bars.sum_of(CHANGES), held),
        "drawdown": drawdown(bars, fall),
    }


def trades(profit_bps: Batches, wins: int) -> dict[str, Estimate]:
    """Return the scores of an account's closed trades, one at least.

    Args:
        profit_bps: their profits.
        wins: the number of those that earned more than their costs.
    """
    return {"win_rate": rate_of(wins, profit_bps.n), "profit_per_trade": profit_bps.mean_of()}


def drawdown(bars: Batches, fall: Fall) -> Estimate:
    """Return the deepest fall of the cumulative profit from an earlier peak, bp, >= 0.

    The interval is that of the profit over the bars of that fall.
    """
    return Estimate(fall.deepest, bars.between(fall.top, fall.low).sum_of(NET).half_width)


def costs_of(moves: Moves, fee_bps: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cost and size of the moves at bars whose close moved, as for ``break_even``."""
    at = moves.moved != 0
    return fee_bps + moves.half_spread_bps[at], np.abs(moves.move_bps[at])


def break_even(moved: Batches) -> Estimate | None:
    """Return the accuracy from which trading pays: 0.5 + cost of a change / size of a move.

    A forecast that is right with chance ``a``, and followed into the market and out again at its
    horizon, earns ``(2 a - 1) move - 2 cost``; a cost is the fee and half the spread. The size of a
    move is that of the mid, at bars whose close moved. Above 1 no accuracy pays.

    Args:
        moved: the bars whose close moved, see ``costs_of``.
    """
    if moved.total(SIZE) == 0:
        return None
    cost, size = moved.mean(COST), moved.mean(SIZE)
    share = cost / size
    return Estimate(0.5 + share, moved.width({COST: 1 / size, SIZE: -share / size}))


def _a_bar(total: Estimate, bars: int) -> Estimate:
    value, width = total
    return Estimate(value / bars, None if width is None else width / bars)

"""The scores of a paper account, each with its interval. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.interval import Estimate, half_width, mean_of, rate_of, sum_of
from trainers.scoring.moves import Moves
from trainers.scoring.profit.paper import Paper


def account(paper: Paper, held: int) -> dict[str, Estimate]:
    """Return the scores of an account's bars.

    Args:
        paper: the account, from the first forecast on.
        held: the number of these bars whose return is known, > 0.
    """
    net = sum_of(paper.net_bps)
    return {
        "pnl_bps": net,
        "gross_bps": sum_of(paper.gross_bps),
        "average_reward": _a_bar(net, held),
        "turnover": _a_bar(sum_of(paper.changes.astype(np.float64)), held),
        "drawdown": drawdown(paper.net_bps),
    }


def trades(paper: Paper) -> dict[str, Estimate]:
    """Return the scores of an account's closed trades, one at least."""
    profit = paper.profit_bps
    return {
        "win_rate": rate_of(int((profit > 0).sum()), len(profit)),
        "profit_per_trade": mean_of(profit),
    }


def drawdown(net_bps: NDArray[np.float64]) -> Estimate:
    """Return the deepest fall of the cumulative profit from an earlier peak, bp, >= 0.

    The interval is that of the profit over the bars of that fall.
    """
    level = np.concatenate([[0.0], np.cumsum(net_bps)])
    fall = np.maximum.accumulate(level) - level
    low = int(fall.argmax())
    top = int(level[: low + 1].argmax())
    return Estimate(float(fall[low]), sum_of(net_bps[top:low]).half_width)


def break_even(moves: Moves, fee_bps: float) -> Estimate | None:
    """Return the accuracy from which trading pays: 0.5 + cost of a change / size of a move.

    A forecast that is right with chance ``a``, and followed into the market and out again after a
    bar, earns ``(2 a - 1) move - 2 cost``; a cost is the fee and half the spread. The size of a
    move is that of the mid, at bars whose close moved. Above 1 no accuracy pays.
    """
    at = moves.moved != 0
    cost, size = fee_bps + moves.half_spread_bps[at], np.abs(moves.ret_bps[at])
    if not size.any():
        return None
    share = float(cost.mean() / size.mean())
    influence = (cost - share * size) / size.mean()
    return Estimate(0.5 + share, half_width(influence))


def _a_bar(total: Estimate, bars: int) -> Estimate:
    value, width = total
    return Estimate(value / bars, None if width is None else width / bars)

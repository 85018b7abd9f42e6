"""The list of trades and the equity curves of a market's paper accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ui.trades.paper_account import Equity, PaperAccount, Trade

POINTS = 600  # of a curve, at most
STRETCHES = (1, 5, 15, 60, 300, 900, 3600, 86_400)  # between its points, s
COLUMNS = ("learner", *Trade._fields)


def trades_of(
    accounts: Mapping[str, PaperAccount], by: str, *, rising: bool, most: int
) -> dict[str, Any]:
    """Return the trades, sorted, and how many there are.

    Args:
        accounts: learner -> its account.
        by: the name of one of ``COLUMNS``.
        rising: whether the lowest comes first.
        most: how many to return.

    Returns:
        columns, rows in their order, total, and ``sums``: learner -> number of closed trades,
        profit of them, profit so far (held trades included), deepest fall; all in bp.
    """
    at = COLUMNS.index(by)
    rows: list[list[Any]] = [
        [name, *trade] for name, account in accounts.items() for trade in account.trades
    ]
    known = [row for row in rows if row[at] is not None]
    known.sort(key=lambda row: row[at], reverse=not rising)
    unknown = [row for row in rows if row[at] is None]  # such as the end of a trade that is held
    return {
        "columns": COLUMNS,
        "rows": [*known, *unknown][:most],
        "total": len(rows),
        "sums": {name: _sums(account) for name, account in accounts.items()},
        "curves": {name: curve(account.equity) for name, account in accounts.items()},
    }


def curve(equity: Equity) -> list[list[float]]:
    """Return points ``[unix seconds, profit, how far below its highest so far]`` of an account.

    There are at most ``POINTS``, each for a stretch of equal length, by the time when it begins:
    the profit at its end, and the deepest fall within it.
    """
    if not len(equity.time):
        return []
    peak = np.maximum(np.maximum.accumulate(equity.bps), 0.0)
    span = int(equity.time[-1] - equity.time[0])
    seconds = next(each for each in STRETCHES if span // each < POINTS - 1)
    at = equity.time // seconds
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    ends = np.append(starts[1:], len(at)) - 1
    falls = np.maximum.reduceat(peak - equity.bps, starts)
    points = zip(
        (at[starts] * seconds).tolist(), equity.bps[ends].tolist(), falls.tolist(), strict=True
    )
    return [[time, round(bps, 2), round(fall, 2)] for time, bps, fall in points]


def _sums(account: PaperAccount) -> list[float]:
    closed = [trade.pnl_bps for trade in account.trades if trade.closed is not None]
    bps = account.equity.bps
    fall = (np.maximum(np.maximum.accumulate(bps), 0.0) - bps).max(initial=0.0)
    return [len(closed), sum(closed), float(bps[-1]) if len(bps) else 0.0, float(fall)]

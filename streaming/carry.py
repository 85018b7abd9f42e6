"""What a bar takes over from the bars before it, where it has no trades or quotes. Pure.

A bar without trades carries the last close with volume 0. Best bid and ask are those of the newest
quote. Until there is one, the last trades that takers sold and bought stand for them.

A wrong print (a price far off by a slip of a finger or a feed) would rule everything that is summed
over bars. So a bar with such a price is broken, and the bar that comes back from it is too. Its
prices stay as they were traded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.forward_fill import forward_fill
from streaming.quotes import QUOTED

# The largest plausible move of a bar, as a factor. Recorded markets come to 1.02 in a second; where
# a price is only one of its steps high, one step up is 2.
MOST_TIMES = 2.0


def carry_trades(bars: NDArray[np.void], last: NDArray[np.void]) -> NDArray[np.bool]:
    """Carry the last close into bars without trades, in place; return which bars are broken.

    Until a side has traded at all, the first bar's close stands for its price; so it does after a
    wrong print, which may be the only one known.

    Args:
        bars: ``(n,)`` of dtype ``BAR``.
        last: ``(1,)`` the final bar before them, zeros if there is none.

    Returns:
        ``(n,)``.
    """
    traded = bars["trades"] > 0
    close = forward_fill(np.where(traded, bars["close"], 0.0), last["close"][0])
    for name in ("open", "high", "low", "close"):
        bars[name][~traded] = close[~traded]
    broken = _broken(bars, last["close"][0])
    for name in ("last_sold", "last_bought"):
        bars[name][broken] = close[broken]
        bars[name] = forward_fill(bars[name], last[name][0] or close[:1])
    return broken


def carry_quotes(bars: NDArray[np.void], last: NDArray[np.void]) -> None:
    """Carry the last quote into bars without one, in place; without any, trades stand for it.

    Args:
        bars: ``(n,)`` of dtype ``BAR``.
        last: ``(1,)`` the final bar before them, zeros if there is none.
    """
    told = bars["quoted"] != 0
    at = np.maximum.accumulate(np.where(told, np.arange(len(bars)), -1))
    for name in (*QUOTED, "quoted"):
        before: float = last[name][0] * last["quoted"][0]
        bars[name] = np.where(at >= 0, bars[name][at], before)
    trades = bars["quoted"] == 0
    bars["bid"][trades] = bars["last_sold"][trades]
    bars["ask"][trades] = bars["last_bought"][trades]


def _broken(bars: NDArray[np.void], last_close: float) -> NDArray[np.bool]:
    """Return which bars have a price too far from the close before, ``last_close`` at first.

    The very first bar, where ``last_close`` is 0, is compared with its own open.
    """
    before = np.concatenate([[last_close], bars["close"][:-1]])[: len(bars)]
    before = np.where(before > 0, before, bars["open"])
    broken: NDArray[np.bool] = (bars["high"] > MOST_TIMES * before) | (
        MOST_TIMES * bars["low"] < before
    )
    return broken

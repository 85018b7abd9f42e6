"""The quote: the best bid and ask of a market with their sizes, and the time that has passed.

    socket -> decoder -> quotes -> conflation -> quote ring, tape -> bars -> features

Quotes travel as structured numpy arrays of dtype ``QUOTE``, in the order received. A row of the
ring says what the book was at a time; one marked ``MARK`` says only that the time has passed and
nothing has come: it makes bars final in seconds in which nobody trades.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from streaming.records import join
from streaming.ticks import LEAST, MOST, OLDEST_TS

QUOTE = np.dtype(
    [
        ("id", "<i8"),  # the venue's update id, rising; 0 where it has none
        ("ts_event", "<i8"),  # when the venue changed its book | int nanoseconds,
        ("ts_init", "<i8"),  # when this process received it    | Unix epoch, UTC
        ("bid", "<f8"),  # quote currency, > 0; 0 in a mark
        ("ask", "<f8"),  # quote currency, > bid; 0 in a mark
        ("bid_size", "<f8"),  # base currency, >= 0
        ("ask_size", "<f8"),
        ("ofi", "<f8"),  # base currency, the order-flow imbalance of all its updates
        ("updates", "<i8"),  # how many of the venue's updates it stands for; 0 in a mark
        ("after", "<i8"),  # how many of the market's ticks came before it
        ("flags", "u1"),
    ],
    align=True,
)

MARK = 1  # no quote: it says that this time has passed at the venue
RECEIVED = 2  # the venue gives no time: ``ts_event`` follows from when it was received
LATE = 4  # the bar of its time was final already: no bar counts it
# And ``streaming.ticks.VOID``: it breaks an invariant.

QUOTED = ("bid", "ask", "bid_size", "ask_size")  # the columns of the book itself

Quotes = NDArray[np.void]


def make_quotes(n: int) -> Quotes:
    """Return ``n`` zeroed quotes, ``(n,)`` of dtype ``QUOTE``."""
    return np.zeros(n, QUOTE)


NO_QUOTES = make_quotes(0)


def faults(
    quotes: Quotes, latest_ns: int | NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool]]]:
    """Yield each reason for which a quote is void, and which of ``quotes``, ``(n,)``, it concerns.

    A book that is crossed or has an empty side (in an auction, before the opening) is no quote.

    Args:
        quotes: the quotes, without marks.
        latest_ns: the latest event time that is possible, ns; one for all, or ``(n,)``.
    """
    bid: NDArray[np.float64] = quotes["bid"]
    ask: NDArray[np.float64] = quotes["ask"]
    ts: NDArray[np.int64] = quotes["ts_event"]
    prices = (bid >= LEAST) & (ask > bid) & (ask <= MOST)
    sizes = [(quotes[name] >= 0) & (quotes[name] <= MOST) for name in ("bid_size", "ask_size")]
    yield "bad_quote", ~(prices & sizes[0] & sizes[1])
    yield "bad_time", (ts < OLDEST_TS) | (ts > latest_ns)


def imbalances(quotes: Quotes, before: Quotes) -> NDArray[np.float64]:
    """Return the order-flow imbalance of each update, ``(n,)``, base currency.

    What was added to the best bid less what was taken from it, less the same of the best ask.
    Source: R. Cont, A. Kukanov and S. Stoikov, The Price Impact of Order Book Events, Journal of
    Financial Econometrics 12 (2014), section 2.1.

    Args:
        quotes: ``(n,)`` the updates, in order.
        before: ``(1,)`` the update before the first; ``(0,)`` if there is none, then its imbalance
            is 0.

    >>> quotes = make_quotes(2)
    >>> quotes["bid"], quotes["ask"] = [10, 10], [11, 12]
    >>> quotes["bid_size"], quotes["ask_size"] = [5, 7], [3, 4]
    >>> imbalances(quotes, make_quotes(0)).tolist()  # 2 more are bid, 3 are offered no more
    [0.0, 5.0]
    """
    if len(quotes) == 0:
        return np.zeros(0)
    rows = join(before if len(before) else quotes[:1], quotes)
    bid: NDArray[np.float64] = np.diff(rows["bid"])
    ask: NDArray[np.float64] = np.diff(rows["ask"])
    bids: NDArray[np.float64] = rows["bid_size"]
    asks: NDArray[np.float64] = rows["ask_size"]
    bought = np.where(bid >= 0, bids[1:], 0.0) - np.where(bid <= 0, bids[:-1], 0.0)
    sold = np.where(ask <= 0, asks[1:], 0.0) - np.where(ask >= 0, asks[:-1], 0.0)
    flow: NDArray[np.float64] = bought - sold
    return flow

"""Synthetic markets with a known answer: how well any model can do on them, exactly.

    process (returns of seconds, Bayes rule) ─┬─> moves ─> blocks of orders ─> fills ─> sim:NAME
                                              └─> bars, as arrays, for tests and benchmarks

    process     what martingale, ar1, signs, momentum and switch share, one file each
    hawkes      the side of the next order, known from the orders before it
    signal      a signal that is shown as it is: what a trader can earn with it
    chain       what is known, as a Markov chain on a grid: the Bayes figures
    trading     the same chain and a cost: the best trader
    bounce      last prices that hop between bid and ask look predictable: how much

Returns are in units of sigma, the standard deviation of the part of a second's return that nobody
can know; a played market has ``SIGMA`` of them.
"""

from streaming.exchange.markets.fills import trades
from streaming.exchange.markets.market import Market
from streaming.exchange.markets.registry import MARKETS

__all__ = ["MARKETS", "Market", "trades"]

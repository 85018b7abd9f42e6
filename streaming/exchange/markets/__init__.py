"""Synthetic markets, of which the best possible forecast is known exactly.

    processes (returns of seconds) ─> moves of the mid ─┐          ┌─> fills ─> trades ─┐
                          arrivals ─> orders ───────────┴─> blocks ┴─> leans ─> book ───┴> sim:NAME

    hawkes      a market of orders alone, each of which moves the mid
    default     the market of ``sim``

The rules that predict them best are in ``tests/oracles``; ``docs/markets.md`` has their figures.
Returns are in units of sigma, the standard deviation of the unpredictable part of a second's
return; a market has ``SIGMA`` of them.
"""

from streaming.exchange.markets.fills import Second, seconds, trades
from streaming.exchange.markets.market import SyntheticMarket
from streaming.exchange.markets.registry import MARKETS

__all__ = ["MARKETS", "Second", "SyntheticMarket", "seconds", "trades"]

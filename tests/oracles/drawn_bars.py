"""A path of returns -> bars like those of the feed, drawn without the ticks."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from streaming.bars import BAR, Bars
from streaming.exchange.markets.market import SIGMA
from streaming.exchange.markets.processes.process import Floats
from streaming.ticks import NS_PER_S

START_S = 1_704_067_200  # 2024-01-01
TRADES = 27  # a bar, on average
NOTIONAL = 10_000  # quote currency, the median of a bar
LOG_VOLUME_SD = 0.6


def bars_of_path(
    rng: Generator,
    returns: Floats,
    *,
    half_spread: float = 0.0,
    sigma: float = SIGMA,
    price: float = 60_000.0,
    start_s: int = START_S,
) -> Bars:
    """Return a bar for each return of the mid.

    Without a spread the exact rule of the path is that of the bars: ``path.up[i + 1]`` is the
    probability that the close after that of bar i is higher than it. The range is that of a
    Brownian bridge; it, the volume and the takers' sides say nothing about the future.

    Args:
        rng: draws all that the returns do not determine.
        returns: ``(n,)`` of the mid, sigma.
        half_spread: sigma; a bar opens and closes at mid - or + this, each side a toss-up. Bid
            and ask are those at its end, so the mid is between them.
        sigma: the unit, as a log return.
        price: the mid before the first bar.
        start_s: when the first bar opens, s, Unix epoch.

    Returns:
        ``(n,)`` of dtype ``BAR``, without a gap.
    """
    mid = math.log(price) + sigma * np.cumsum(returns)
    bars = np.zeros(len(returns), BAR)
    bars["ts_open"] = (start_s + np.arange(len(returns))) * NS_PER_S
    _draw_prices(rng, bars, mid, sigma * returns, sigma, half_spread * sigma)
    _draw_volume(rng, bars, price)
    return bars


def _draw_prices(
    rng: Generator, bars: Bars, mid: Floats, move: Floats, sigma: float, half: float
) -> None:
    """Fill in the prices, given the log of the mid at each bar's end and its move in the bar."""
    bought = rng.random((2, len(bars))) < 0.5
    bars["bid"], bars["ask"] = np.exp(mid - half), np.exp(mid + half)
    bars["last_sold"], bars["last_bought"] = bars["bid"], bars["ask"]  # nothing is quoted
    bars["close"] = np.where(bought[0], bars["ask"], bars["bid"])
    bars["open"] = np.exp(mid - move + np.where(bought[1], half, -half))
    # Highest and lowest of a Brownian bridge: (move +- sqrt(move² + 2 sigma² Exp(1))) / 2.
    above, below = np.sqrt(move**2 + 2 * sigma**2 * rng.exponential(size=(2, len(bars))))
    top, bottom = np.exp(mid + half + (above - move) / 2), np.exp(mid - half - (below + move) / 2)
    bars["high"] = np.maximum(top, np.maximum(bars["open"], bars["close"]))
    bars["low"] = np.minimum(bottom, np.minimum(bars["open"], bars["close"]))


def _draw_volume(rng: Generator, bars: Bars, price: float) -> None:
    """Fill in the trades and their volume, which neither depend on the mid nor predict it."""
    bars["trades"] = 1 + rng.poisson(TRADES - 1, len(bars))
    bars["volume"] = rng.lognormal(math.log(NOTIONAL / price), LOG_VOLUME_SD, len(bars))
    bars["signed_volume"] = bars["volume"] * rng.uniform(-1, 1, len(bars))
    bars["notional"] = bars["volume"] * (bars["open"] + bars["close"]) / 2
    bars["final_seq"] = np.cumsum(bars["trades"]) + 1  # the first tick of the next bar tells

"""The newest rows of a chart. A final candle's row is made once, a forming one's at each update."""

from __future__ import annotations

import numpy as np

from streaming.ticks import NS_PER_S
from ui.chart.candles import WARMUP, Row, candles_of, rows_of
from ui.market_reader import MarketReader


class ChartRows:
    """Keeps the newest rows of one market.

    Args:
        market: the symbol's market.
        seconds: the length of a candle, a multiple of a bar's.
        limit: how many rows are kept, at least 1.
    """

    def __init__(self, market: MarketReader, seconds: int, limit: int) -> None:
        self._market, self._seconds, self._limit = market, seconds, limit
        self._next = -1  # seq of the first bar that is in no final candle
        self._final: list[Row] = []  # with those before that the averages need

    def update(self) -> list[Row]:
        """Return the newest rows, see ``ui.chart.candles``, the forming candle last."""
        kept, bar = self._limit + WARMUP, self._market.bar_seconds
        done, oldest = self._market.final, self._market.oldest
        if not oldest <= self._next <= done:  # at first; or a killed feed took bars back
            self._next, self._final = (
                self._first(max(done - kept * self._seconds // bar, oldest)),
                [],
            )
        # A bar that gets final after this is read anew at the next update.
        bars, forming = self._market.bars_from(self._next, done)
        candles = candles_of(np.concatenate([bars, forming]), self._seconds)
        rows = rows_of(candles, [row[4] for row in self._final[-WARMUP:]])
        end = int(bars["ts_open"][-1]) // NS_PER_S + bar if len(bars) else 0
        fresh = int(np.searchsorted(candles.time + self._seconds, end, side="right"))
        if fresh:
            begun = np.searchsorted(
                bars["ts_open"], (int(candles.time[fresh - 1]) + self._seconds) * NS_PER_S
            )
            self._next += int(begun)
            self._final = [*self._final, *rows[:fresh]][-kept:]
        return [*self._final, *rows[fresh:]][-self._limit :]

    def _first(self, seq: int) -> int:
        """Return the seq of the bar at ``seq`` or after it with which a candle begins."""
        bars, _ = self._market.bars_from(seq, seq + 1)
        if not seq or not len(bars):
            return seq  # there is nothing before it
        lacking = -int(bars["ts_open"][0] // NS_PER_S) % self._seconds
        return seq + lacking // self._market.bar_seconds

"""One symbol's chart: its newest part, for all who look on, and older parts for who scrolls back.

MarketReader, TapedBars ─┐
LedgerMarks ─────────────┼─> SymbolChart -> view model, or a part of the past
Thresholds ──────────────┘
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streaming.bars import Bars
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from ui.chart.candles import CHARTED, WARMUP, Row, candles_of, rows_of, whole_bars
from ui.chart.chart_rows import ChartRows
from ui.chart.ledger_marks import LedgerMarks
from ui.chart.taped_bars import TapedBars
from ui.chart.thresholds import Thresholds
from ui.market_reader import MarketReader
from ui.views.view_model import ViewModel

ROWS_SHOWN = 900  # at once; older ones are asked for


class SymbolChart:
    """Reads all that the chart of one symbol shows.

    Args:
        folder: the session's folder.
        market: the symbol's market.
        config: the session's settings.
    """

    def __init__(self, folder: Path, market: MarketReader, config: SessionConfig) -> None:
        symbol = market.symbol
        self.market = market
        self.tape = TapedBars(folder, symbol, market.grace_ns, market.bar_seconds)
        self.marks = LedgerMarks(
            folder, symbol, config.learner_names, config.fee_bps, config.bar_seconds
        )
        self.thresholds = Thresholds(folder, symbol, config.confidence)
        self._rows: dict[int, ChartRows] = {}  # by the length of a candle

    def newest(self, seconds: int) -> tuple[list[Row], ViewModel]:
        """Return the newest bars as rows, see ``ui.chart.candles``, and the part of the view model.

        Args:
            seconds: the length of a candle of the chart; the rows returned are of a bar.
        """
        self.marks.update()  # before the bars: no forecast without its bar
        self.thresholds.update()
        bar = self.market.bar_seconds
        seconds = whole_bars(seconds, bar)
        bars, rows = self._newest_rows(bar), self._newest_rows(seconds)
        view = self.marks.view(seconds, rows[0][0] if rows else 0)
        view.whole["thresholds"] = self.thresholds.changes[:]
        view.whole["traded"] = sum(len(account.trades) for account in self.marks.accounts.values())
        view.keyed["rows"] = {row[0]: row[:CHARTED] for row in rows}
        return bars, view

    def _newest_rows(self, seconds: int) -> list[Row]:
        if seconds not in self._rows:
            self._rows[seconds] = ChartRows(self.market, seconds, ROWS_SHOWN)
        return self._rows[seconds].update()

    def bars_before(self, time: int, seconds: int, most: int) -> Bars:
        """Return older bars, of the ring, or of the tape where the ring has forgotten them.

        This reads files only, so that a thread may do it.

        Args:
            time: when the oldest candle begins that is known, unix seconds.
            seconds: the length of a candle.
            most: how many candles at most.
        """
        bar = self.market.bar_seconds
        seconds = whole_bars(seconds, bar)
        wanted = (most + WARMUP) * seconds // bar
        bars = self.market.bars_before(time, wanted)
        if self.market.oldest or len(bars) == wanted:
            bars = _from_a_candle_on(bars, seconds, bar)
        if len(bars):
            return bars
        bars = self.tape.before(time, wanted)
        begins = len(bars) < min(wanted, self.tape.most)
        return bars if begins else _from_a_candle_on(bars, seconds, bar)

    def past(self, bars: Bars, time: int, seconds: int, most: int) -> dict[str, Any]:
        """Return a part of the past, made of what ``bars_before`` has returned.

        Returns:
            The lists of a view model's rows by name, and whether there is nothing older.
        """
        seconds = whole_bars(seconds, self.market.bar_seconds)
        rows = rows_of(candles_of(bars, seconds))[-most:]
        view = self.marks.view(seconds, rows[0][0], time) if rows else ViewModel()
        parts = {name: list(found.values()) for name, found in view.keyed.items()}
        return {"rows": [row[:CHARTED] for row in rows], **parts, "complete": not rows}


def _from_a_candle_on(bars: Bars, seconds: int, bar_seconds: int) -> Bars:
    """Leave out the bars of a candle that begins before them."""
    first = int(bars["ts_open"][0]) // NS_PER_S if len(bars) else 0
    return bars[-first % seconds // bar_seconds :]

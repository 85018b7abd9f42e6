"""One symbol's chart: its newest part, for all who look on, and older parts for who scrolls back.

Market ───────┐
LedgerMarks ──┼─> SymbolChart -> view model, or a part of the past
Thresholds ───┘
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainers.config import SessionConfig
from ui.chart.candles import CHARTED, WARMUP, Row, candles_of, rows_of
from ui.chart.chart_rows import ChartRows
from ui.chart.ledger_marks import LedgerMarks
from ui.chart.thresholds import Thresholds
from ui.live.market import Market
from ui.views.view_model import ViewModel

ROWS_SHOWN = 900  # at once; older ones are asked for


class SymbolChart:
    """Reads all that the chart of one symbol shows.

    Args:
        folder: the session's folder.
        market: the symbol's market.
        config: the session's settings.
    """

    def __init__(self, folder: Path, market: Market, config: SessionConfig) -> None:
        symbol = market.symbol
        self.market = market
        self.marks = LedgerMarks(folder, symbol, config.learner_list, config.fee_bps)
        self.thresholds = Thresholds(folder, symbol, config.confidence)
        self._rows: dict[int, ChartRows] = {}  # by the length of a candle

    def newest(self, seconds: int) -> tuple[list[Row], ViewModel]:
        """Return the newest rows, see ``ui.chart.candles``, and the chart's part of the view model.

        Args:
            seconds: the length of a candle.
        """
        self.marks.update()  # before the bars: no forecast without its bar
        self.thresholds.update()
        if seconds not in self._rows:
            self._rows[seconds] = ChartRows(self.market, seconds, ROWS_SHOWN)
        rows = self._rows[seconds].update()
        view = self.marks.view(seconds, rows[0][0] if rows else 0)
        view.whole["thresholds"] = self.thresholds.changes[:]
        view.whole["traded"] = sum(len(account.trades) for account in self.marks.accounts.values())
        view.keyed["rows"] = {row[0]: row[:CHARTED] for row in rows}
        return rows, view

    def before(self, time: int, seconds: int, most: int) -> dict[str, Any]:
        """Return a part of the past.

        Args:
            time: when the oldest candle begins that is known, unix seconds.
            seconds: the length of a candle.
            most: how many candles at most.

        Returns:
            The lists of a view model's rows by name, and whether there is nothing older.
        """
        wanted = (most + WARMUP) * seconds
        bars = self.market.bars_before(time, wanted)
        rows = rows_of(candles_of(bars, seconds))[-most:]
        view = self.marks.view(seconds, rows[0][0], time) if rows else ViewModel()
        parts = {name: list(found.values()) for name, found in view.keyed.items()}
        complete = len(rows) < most or len(bars) < wanted
        return {"rows": [row[:CHARTED] for row in rows], **parts, "complete": complete}

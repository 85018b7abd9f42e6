"""What the ledger adds to a symbol's chart, and the paper accounts of its learners.

ledger (only what is new) -> LedgerMarks -> rows by time, for whatever part of the chart is shown

forecasts       [time, probability of up by each learner]   time of the first bar of their move;
                                                            null where there was none in time
trades          {time, learner, side, at, price, up, bps}   time of the bar at whose close it was
                                                            made; up: the forecast behind it; bps:
                                                            the trade's profit, of a sale
cycle_marks     {cycle, time}                               from when on weights of a cycle serve
champion_marks  {learner, version, time}                    from when on a champion serves; 0: none

Times are unix seconds, those of the candles that hold them; a learner is its index in ``learners``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streaming.ticks import NS_PER_S, Side
from trainers.recording.errors import LedgerError
from trainers.recording.ledger import LedgerContents
from trainers.recording.tail import LedgerTail
from trainers.scoring.ledger import Forecasts
from ui.chart.forecast_history import ForecastHistory
from ui.trades.paper_account import PaperAccount
from ui.views.learner_names import is_champion, is_learner
from ui.views.view_model import Rows, ViewModel

logger = logging.getLogger(__name__)

EVER = 1 << 62


class LedgerMarks:
    """Keeps the marks of one symbol.

    Args:
        folder: the session's folder.
        symbol: the market.
        session_learners: the learners that the session names.
        fee_bps: cost of a change of position besides half the spread.
        bar_seconds: the length of a bar, s.

    Attributes:
        learners: those in the ledger, without the baselines; champions included.
        accounts: the paper account of each learner that is no champion, by its index.
    """

    def __init__(
        self,
        folder: Path,
        symbol: str,
        session_learners: Collection[str],
        fee_bps: float,
        bar_seconds: int = 1,
    ) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._session_learners, self._fee_bps = session_learners, fee_bps
        self._bar_seconds = bar_seconds
        self._last: LedgerContents | None = None  # the newest bar; a gap may still end its trades
        self.learners: list[str] = []
        self.accounts: dict[int, PaperAccount] = {}
        self._forecasts = ForecastHistory([])
        self._cycles: Rows = {}
        self._champions: Rows = {}
        self._serving: dict[int, int] = {}  # the version of each champion
        self._broken = False

    def update(self) -> None:
        """Read what is new."""
        try:
            self._add(self._tail.read())
        except LedgerError:
            if not self._broken:  # the rest of the page goes on without these marks
                logger.exception("cannot read the ledger")
            self._broken = True

    def view(self, seconds: int, since: int, until: int = EVER) -> ViewModel:
        """Return the marks of a part of the chart.

        Args:
            seconds: the length of a candle.
            since: when the first candle begins.
            until: when the last one ends.
        """
        forecasts = self._forecasts.rows(since, until, seconds)
        return ViewModel(
            whole={"learners": self.learners},
            keyed={
                "forecasts": {row[0]: row for row in forecasts},
                "trades": dict(self._trades(seconds, since, until)),
                "cycle_marks": _within(self._cycles, seconds, since, until),
                "champion_marks": _within(self._champions, seconds, since, until),
            },
        )

    def _trades(self, seconds: int, since: int, until: int) -> Iterator[tuple[Any, dict[str, Any]]]:
        for learner, account in self.accounts.items():
            for trade in account.newest(since):
                bought = (trade.opened, Side.BOUGHT, trade.entry_price, trade.entry_up, None)
                sold = (trade.closed, Side.SOLD, trade.exit_price, trade.exit_up, trade.pnl_bps)
                for at, side, price, up, bps in (bought, sold):
                    if at is not None and since <= at < until:
                        mark = {
                            "time": at // seconds * seconds, "learner": learner, "side": side,
                            "at": at, "price": price, "up": up and round(up, 4),
                            "bps": bps and round(bps, 2),
                        }  # fmt: skip
                        yield (at, learner, side), mark

    def _add(self, new: LedgerContents) -> None:
        if not len(new.outcomes) and not len(new.forecasts):
            return
        if not self.learners:
            # Learners stand before the baselines.
            self.learners = [name for name in new.names if is_learner(name, self._session_learners)]
            self._forecasts = ForecastHistory(
                [new.names.index(name) for name in self.learners], self._bar_seconds
            )
            self.accounts = {
                column: PaperAccount(new.names.index(name), self._fee_bps, self._bar_seconds)
                for column, name in enumerate(self.learners)
                if not is_champion(name)
            }
        self._forecasts.add(new.forecasts)
        self._add_cycles(new)
        self._add_champions(new)
        self._follow_accounts(new)

    def _add_cycles(self, new: LedgerContents) -> None:
        """Mark each bar at which weights of a newer cycle begin to serve."""
        frozen = [i for i, name in enumerate(new.names) if is_champion(name)]
        rows = new.forecasts[~np.isin(new.forecasts["learner"], frozen)]
        version = np.maximum.accumulate(rows["version"].astype(np.int64))
        before = max(self._cycles, default=0)
        fresh = version > np.concatenate([[before], np.maximum(version, before)[:-1]])
        for i in np.flatnonzero(fresh).tolist():
            cycle = int(version[i])
            self._cycles[cycle] = {"cycle": cycle, "time": int(rows["bar"][i]) // NS_PER_S}

    def _add_champions(self, new: LedgerContents) -> None:
        """Mark each bar at which another version begins to serve as champion."""
        for column, name in enumerate(self.learners):
            if is_champion(name):
                rows = new.forecasts[new.forecasts["learner"] == new.names.index(name)]
                for time, version in _changes(rows, self._serving.get(column, 0)):
                    self._serving[column] = version
                    mark = {"learner": column, "version": version, "time": time}
                    self._champions[time, column] = mark

    def _follow_accounts(self, new: LedgerContents) -> None:
        rows = new
        if self._last is not None:
            rows = LedgerContents(
                new.names,
                np.concatenate([self._last.outcomes, new.outcomes]),
                np.concatenate([self._last.forecasts, new.forecasts]),
            )
        for account in self.accounts.values():
            account.update(rows.outcomes, rows.forecasts)
        newest = rows.outcomes[-1:]
        of_newest = rows.forecasts["bar"] == newest["bar"]
        self._last = LedgerContents(new.names, newest, rows.forecasts[of_newest])


def _within(marks: Rows, seconds: int, since: int, until: int) -> Rows:
    """Return the marks of a part of the chart, with the times of their candles."""
    return {
        key: {**mark, "time": mark["time"] // seconds * seconds}
        for key, mark in marks.items()
        if since <= mark["time"] < until
    }


def _changes(rows: Forecasts, before: int) -> list[tuple[int, int]]:
    """Return when another version began to serve, and which; 0 for none."""
    version = rows["version"].astype(np.int64)
    at = np.flatnonzero(version != np.concatenate([[before], version[:-1]]))
    return [(int(rows["bar"][i]) // NS_PER_S, int(version[i])) for i in at.tolist()]

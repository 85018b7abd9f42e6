"""What the ledger adds to a symbol's chart: forecasts, paper trades, training cycles.

ledger (only what is new) -> LedgerMarks -> rows by time, for as long as the chart reaches

forecasts    [time, probability of up by each learner]   time of the bar that they are about;
                                                         null where there was none in time
trades       {time, learner, side}                       time of the bar at whose close it was made
cycle_marks  {cycle, time, version}                      version that serves from that time on

Times are unix seconds, a learner is its index in ``learners``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from streaming.ticks import NS_PER_S
from trainers.recording.errors import LedgerError
from trainers.recording.ledger import LedgerContents
from trainers.recording.tail import LedgerTail
from trainers.scoring.ledger import MADE, Forecasts
from ui.live.paper_trades import PaperTrades
from ui.views.learner_names import is_champion, is_learner
from ui.views.view_model import Rows, ViewModel

logger = logging.getLogger(__name__)

ROWS_OF_BAR = 64  # no bar of any session has more


class LedgerMarks:
    """Keeps the marks of one symbol.

    Args:
        folder: the session's folder.
        symbol: the market.
        session_learners: the learners that the session names.
        seconds: how far back marks are kept.
    """

    def __init__(
        self, folder: Path, symbol: str, session_learners: Collection[str], seconds: int
    ) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._session_learners, self._seconds = session_learners, seconds
        self._last: LedgerContents | None = None  # the newest bar; a gap may still end its trades
        self._trades: dict[int, PaperTrades] = {}  # by index in the learners
        self.learners: list[str] = []
        self.forecasts: Rows = {}
        self.trades: Rows = {}
        self.cycle_marks: Rows = {}
        self._broken = False

    def update(self) -> ViewModel:
        """Read what is new; return the marks as a part of the view model."""
        try:
            self._add(self._tail.read())
        except LedgerError:
            if not self._broken:  # the rest of the page goes on without these marks
                logger.exception("cannot read the ledger")
            self._broken = True
        return ViewModel(
            whole={"learners": self.learners},
            keyed={
                "forecasts": dict(self.forecasts),
                "trades": dict(self.trades),
                "cycle_marks": dict(self.cycle_marks),
            },
        )

    def _add(self, new: LedgerContents) -> None:
        if not len(new.outcomes) and not len(new.forecasts):
            return
        if not self.learners:
            # Learners stand before the baselines.
            self.learners = [name for name in new.names if is_learner(name, self._session_learners)]
            self._trades = {
                column: PaperTrades(new.names.index(name))
                for column, name in enumerate(self.learners)
                if not is_champion(name)
            }
        self._add_forecasts(new)
        self._add_cycle_marks(new)
        self._add_trades(new)
        self._forget(int(new.outcomes["bar"][-1]) // NS_PER_S if len(new.outcomes) else 0)

    def _add_forecasts(self, new: LedgerContents) -> None:
        columns = {new.names.index(name): i for i, name in enumerate(self.learners, 1)}
        since = self._horizon(new)
        made = (new.forecasts["status"] == MADE) & ~np.isnan(new.forecasts["probability"])
        recent = new.forecasts["bar"] >= since
        for row, known in zip(new.forecasts[recent], made[recent].tolist(), strict=True):
            if column := columns.get(int(row["learner"])):
                time = int(row["bar"]) // NS_PER_S + 1
                # A bar without a forecast is there too: the line has a gap at it.
                empty = [time, *[None] * len(columns)]
                probabilities = [*self.forecasts.get(time, empty)]
                if known:
                    probabilities[column] = round(float(row["probability"]), 4)
                self.forecasts[time] = probabilities

    def _add_cycle_marks(self, new: LedgerContents) -> None:
        """Mark each bar at which a newer version begins to serve."""
        rows = new.forecasts
        version = np.maximum.accumulate(rows["version"].astype(np.int64))
        before = max(self.cycle_marks, default=0)
        fresh = version > np.concatenate([[before], np.maximum(version, before)[:-1]])
        for i in np.flatnonzero(fresh)[-self._seconds :]:  # a cycle takes a second or more
            time = int(rows["bar"][i]) // NS_PER_S
            cycle = int(version[i])
            serving = _serving(rows, int(i))
            self.cycle_marks[cycle] = {"cycle": cycle, "time": time, "version": serving}

    def _add_trades(self, new: LedgerContents) -> None:
        rows = new
        if self._last is not None:
            rows = LedgerContents(
                new.names,
                np.concatenate([self._last.outcomes, new.outcomes]),
                np.concatenate([self._last.forecasts, new.forecasts]),
            )
        for column, trades in self._trades.items():
            for time, side in trades.update(rows.outcomes, rows.forecasts):
                trade = {"time": time, "learner": column, "side": side}
                self.trades[time, column, side] = trade
        newest = rows.outcomes[-1:]
        of_newest = rows.forecasts["bar"] == newest["bar"]
        self._last = LedgerContents(new.names, newest, rows.forecasts[of_newest])

    def _horizon(self, new: LedgerContents) -> int:
        newest = int(new.forecasts["bar"][-1]) if len(new.forecasts) else 0
        return newest - self._seconds * NS_PER_S

    def _forget(self, newest: int) -> None:
        oldest = newest - self._seconds
        self.forecasts = {time: row for time, row in self.forecasts.items() if time >= oldest}
        self.trades = {key: each for key, each in self.trades.items() if each["time"] >= oldest}
        newest_cycle = max(self.cycle_marks, default=0)
        self.cycle_marks = {
            cycle: mark
            for cycle, mark in self.cycle_marks.items()
            if mark["time"] >= oldest or cycle == newest_cycle
        }


def _serving(rows: Forecasts, i: int) -> int:
    """Return the first learner's version at the bar of row ``i``."""
    near = rows[max(0, i - ROWS_OF_BAR) : i + ROWS_OF_BAR]
    version = near["version"][(near["bar"] == rows["bar"][i]) & (near["learner"] == 0)]
    return int(version[0]) if len(version) else int(rows["version"][i])

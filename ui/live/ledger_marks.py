"""What the ledger adds to a symbol's chart: forecasts, paper trades, training cycles.

ledger (only what is new) -> LedgerMarks -> rows by time, for as long as the chart reaches

said    [time, probability of up by each learner]   time: unix second of the bar it is about
trades  [time, learner, 1 bought | -1 sold]         time: of the bar at whose close
cycles  [cycle, time, version]                      version: whose weights serve from there on
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from streaming.ticks import NS_PER_S
from trainers.learners.registry import BASELINES
from trainers.recording.ledger import LedgerRows
from trainers.recording.rows import LedgerError
from trainers.recording.tail import LedgerTail
from trainers.scoring.ledger import MADE, Forecasts
from ui.live.paper_trades import PaperTrades
from ui.picture import Picture
from ui.words import CHAMPION_RUN

logger = logging.getLogger(__name__)

A_BAR = 64  # rows; no bar of any session has more


class LedgerMarks:
    """Follows one symbol's ledger.

    Args:
        folder: the session's.
        symbol: the market.
        named: learners that the session names; a baseline among them is shown as a learner.
        seconds: how far back marks are kept.
    """

    def __init__(self, folder: Path, symbol: str, named: Collection[str], seconds: int) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._named, self._seconds = named, seconds
        self._last: LedgerRows | None = None  # the newest bar, which a gap may still end
        self._trades: dict[int, PaperTrades] = {}  # by place among the learners
        self.learners: list[str] = []
        self.said: dict[Any, list[Any]] = {}
        self.trades: dict[Any, list[Any]] = {}
        self.cycles: dict[Any, list[Any]] = {}
        self._broken = False

    def look(self) -> Picture:
        """Read what is new; return the part of the picture that comes of it."""
        try:
            self._take(self._tail.read())
        except LedgerError:
            if not self._broken:  # the rest of the page goes on without these marks
                logger.exception("cannot read the ledger")
            self._broken = True
        return Picture(
            whole={"learners": self.learners},
            keyed={
                "said": dict(self.said),
                "trades": dict(self.trades),
                "marks": dict(self.cycles),
            },
        )

    def _take(self, new: LedgerRows) -> None:
        if not len(new.outcomes) and not len(new.forecasts):
            return
        if not self.learners:
            # Learners stand before the baselines.
            self.learners = [name for name in new.names if is_learner(name, self._named)]
            self._trades = {
                column: PaperTrades(new.names.index(name))
                for column, name in enumerate(self.learners)
                if not name.endswith(CHAMPION_RUN)
            }
        self._add_said(new)
        self._add_cycles(new)
        self._add_trades(new)
        self._forget(int(new.outcomes["bar"][-1]) // NS_PER_S if len(new.outcomes) else 0)

    def _add_said(self, new: LedgerRows) -> None:
        columns = {new.names.index(name): i for i, name in enumerate(self.learners, 1)}
        since = self._horizon(new)
        made = (new.forecasts["status"] == MADE) & ~np.isnan(new.forecasts["probability"])
        for row in new.forecasts[made & (new.forecasts["bar"] >= since)]:
            if column := columns.get(int(row["learner"])):
                time = int(row["bar"]) // NS_PER_S + 1
                empty = [time, *[None] * len(columns)]
                said = [*self.said.get(time, empty)]
                said[column] = round(float(row["probability"]), 4)
                self.said[time] = said

    def _add_cycles(self, new: LedgerRows) -> None:
        """Mark each bar from which on newer weights than before serve."""
        rows = new.forecasts
        version = np.maximum.accumulate(rows["version"].astype(np.int64))
        before = max(self.cycles, default=0)
        fresh = version > np.concatenate([[before], np.maximum(version, before)[:-1]])
        for i in np.flatnonzero(fresh)[-self._seconds :]:  # a cycle takes a second or more
            time = int(rows["bar"][i]) // NS_PER_S
            self.cycles[int(version[i])] = [int(version[i]), time, _serving(rows, int(i))]

    def _add_trades(self, new: LedgerRows) -> None:
        rows = new
        if self._last is not None:
            rows = LedgerRows(
                new.names,
                np.concatenate([self._last.outcomes, new.outcomes]),
                np.concatenate([self._last.forecasts, new.forecasts]),
            )
        for column, trades in self._trades.items():
            for time, side in trades.follow(rows.outcomes, rows.forecasts):
                self.trades[time, column, side] = [time, column, side]
        newest = rows.outcomes[-1:]
        mine = rows.forecasts["bar"] == newest["bar"]
        self._last = LedgerRows(new.names, newest, rows.forecasts[mine])

    def _horizon(self, new: LedgerRows) -> int:
        newest = int(new.forecasts["bar"][-1]) if len(new.forecasts) else 0
        return newest - self._seconds * NS_PER_S

    def _forget(self, newest: int) -> None:
        oldest = newest - self._seconds
        self.said = {time: row for time, row in self.said.items() if time >= oldest}
        self.trades = {key: row for key, row in self.trades.items() if row[0] >= oldest}
        newest_cycle = max(self.cycles, default=0)
        self.cycles = {
            cycle: row
            for cycle, row in self.cycles.items()
            if row[1] >= oldest or cycle == newest_cycle
        }


def _serving(rows: Forecasts, i: int) -> int:
    """Return the first learner's version at the bar of row ``i``."""
    near = rows[max(0, i - A_BAR) : i + A_BAR]
    found = near["version"][(near["bar"] == rows["bar"][i]) & (near["learner"] == 0)]
    return int(found[0]) if len(found) else int(rows["version"][i])


def is_learner(name: str, named: Collection[str]) -> bool:
    """Tell whether a name in the ledger is a learner's, not one of the baselines beside it."""
    return name in named or name not in BASELINES

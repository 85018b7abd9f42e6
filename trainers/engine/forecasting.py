"""The first half of test-then-train: each bar is forecast once, before the next one is known."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator

import numpy as np

from datamodules.digest import digest
from streaming.bars import BAR, Bars
from trainers.engine.commands import Command, ForecastsMade, LedgerRows
from trainers.engine.events import BarsTaken, ForecastsTimed
from trainers.engine.runners.roster import Roster
from trainers.scoring.ledger import (
    FORECAST,
    NO_ACTION,
    Forecasts,
    LedgerTable,
    Outcomes,
    missed_rows,
    outcome_of,
)

# Bars that a forecast's hash of its inputs covers: all that the built-in learners look at.
HASHED_BARS = 110


class Forecasting:
    """Takes bars, asks everyone, and keeps the rows.

    Args:
        roster: who forecasts.
        history_bars: newest bars to keep.

    Attributes:
        next_bar: number of the next bar to take, from 0.
        bars: the newest bars taken.
        ledger: all rows so far.
        hashed_bar: the newest whose rows are in a cycle's hashes, ns; -1 before the first.
    """

    def __init__(self, roster: Roster, history_bars: int) -> None:
        self._roster, self._history_bars = roster, history_bars
        self.next_bar = 0
        self.bars: Bars = np.zeros(0, BAR)
        self.ledger = LedgerTable(roster.names)
        self.hashed_bar = -1
        self._asked: tuple[Outcomes, Forecasts] | None = None  # forecasts not timed yet

    @property
    def newest_bar(self) -> int:
        """The newest bar taken, ns; -1 before the first."""
        return int(self.bars["ts_open"][-1]) if len(self.bars) else -1

    @property
    def waiting(self) -> bool:
        """Whether forecasts were made and nobody has said yet if they were in time."""
        return self._asked is not None

    def take(self, event: BarsTaken, cycle: int) -> Iterator[Command]:
        """Take bars; yield the rows of all but the newest, and ask about its forecasts.

        Before the first cycle nobody has learned yet, and the bars may be history from before the
        session: they have no rows.
        """
        new, keep = event.bars, self._history_bars
        self.next_bar += len(new)
        window = np.concatenate([self.bars, new])[-keep - len(new) :]
        window.flags.writeable = False  # all learners are handed the same
        self.bars = window[-keep:]
        if cycle == 0:
            return
        for end in range(len(window) - len(new) + 1, len(window)):
            yield self._final(outcome_of(window[:end]))
        outcome = outcome_of(window)
        if not event.ask:
            yield self._final(outcome)
            return
        forecasts = yield from self._forecasts(outcome, cycle)
        self._asked = outcome, forecasts
        yield ForecastsMade(self.newest_bar)

    def time(self, event: ForecastsTimed) -> Iterator[Command]:
        """Make the forecasts of the newest bar final."""
        assert self._asked is not None
        (outcome, forecasts), self._asked = self._asked, None
        if not event.in_time:
            yield self._final(outcome)
            return
        forecasts["latency_us"] = event.latency_us
        yield self._final(outcome, forecasts)

    def new_rows_digest(self) -> str:
        """Return the hash of the rows since the cycle before, without latencies."""
        outcomes, forecasts = self.ledger.between(self.hashed_bar, self.newest_bar)
        self.hashed_bar = self.newest_bar
        columns = [name for name in FORECAST.names or () if name != "latency_us"]
        return digest(outcomes, [forecasts[name] for name in columns])

    def restore(
        self, next_bar: int, hashed_bar: int, bars: Bars, rows: tuple[Outcomes, Forecasts]
    ) -> None:
        """Go on from bars taken and rows written before."""
        bars.flags.writeable = False
        self.next_bar, self.hashed_bar, self.bars = next_bar, hashed_bar, bars
        self.ledger = LedgerTable(self._roster.names, *rows)

    def _forecasts(self, outcome: Outcomes, cycle: int) -> Generator[Command, None, Forecasts]:
        """Ask everyone about the bar after the newest; return the rows."""
        rows = missed_rows(outcome, self._roster.versions)
        rows["inputs"] = _digest(self.bars[-HASHED_BARS:])
        for row, runner in zip(rows, self._roster.everyone, strict=True):
            row["status"], found, told = runner.forecast(self.bars, cycle)
            row["probability"] = np.nan if found.probability is None else found.probability
            row["action"] = NO_ACTION if found.action is None else found.action
            row["signal"] = runner.signal(found)
            yield from told
        return rows

    def _final(self, outcome: Outcomes, forecasts: Forecasts | None = None) -> LedgerRows:
        """Add a bar's rows; without forecasts it was missed."""
        if forecasts is None:
            forecasts = missed_rows(outcome, self._roster.versions)
        self.ledger.append(outcome, forecasts)
        return LedgerRows(outcome, forecasts)


def _digest(bars: Bars) -> int:
    """Return 64 bits that tell bars apart."""
    return int.from_bytes(hashlib.blake2b(bars.tobytes(), digest_size=8).digest(), "little")

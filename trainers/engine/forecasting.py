"""The first half of test-then-train: each bar is forecast once, before it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator

import numpy as np

from datamodules.digest import digest
from datamodules.mids import SPREAD_BARS
from datamodules.windows import FORECASTER_BARS
from streaming.bars import Bars
from trainers.engine.bar_window import BarWindow
from trainers.engine.commands import Command, ForecastsMade, LedgerRows
from trainers.engine.events import BarsTaken, ForecastsTimed
from trainers.engine.runners.answers import signal_of
from trainers.engine.runners.roster import Roster
from trainers.scoring.ledger import (
    FORECAST,
    NO_ACTION,
    OUTCOME,
    Forecasts,
    Outcomes,
    missed_rows,
    outcome_of,
    outcomes_of,
)

# A forecast's row holds the hash of this many newest bars: all that a built-in learner reads.
HASHED_BARS = FORECASTER_BARS + 1


class Forecasting:
    """The bars taken, the forecasts made on them, and the rows of both.

    Args:
        roster: the runners that forecast.
        history_bars: the number of newest bars to keep.
        horizon: how many bars ahead forecasters forecast.

    Attributes:
        next_bar: number of the next bar to take, from 0.
        bars: ``(T,)`` the newest bars taken, at most ``history_bars``; read-only.
    """

    def __init__(self, roster: Roster, history_bars: int, horizon: int = 1) -> None:
        self._roster, self._history_bars = roster, history_bars
        self._window = BarWindow(history_bars)
        self.next_bar = 0
        self.bars = self._window.bars
        # A baseline also looks back on the last move over the horizon.
        self._hashed = HASHED_BARS + horizon - 1
        self._new: list[LedgerRows] = []  # final since the last cycle
        self._asked: tuple[Outcomes, Forecasts] | None = None  # made, but not timed yet

    @property
    def newest_bar(self) -> int:
        """Open time of the newest bar taken, ns; -1 before the first."""
        return int(self.bars["ts_open"][-1]) if len(self.bars) else -1

    @property
    def waiting(self) -> bool:
        """Whether forecasts were made that ``ForecastsTimed`` has not answered yet."""
        return self._asked is not None

    def take(self, event: BarsTaken, cycle: int) -> Iterator[Command]:
        """Take bars; yield the rows of all but the newest, then forecast from that one.

        Bars taken before the first cycle have no rows: no learner has learned yet, and they may be
        history from before the session.
        """
        new = event.bars
        self.next_bar += len(new)
        self._window.append(new)
        self.bars = self._window.bars  # all learners share this array
        if cycle == 0:
            return
        if event.each:
            window = self._window.newest(self._history_bars + len(new))
            yield from self._each(window, len(new), cycle)
            return
        window = self._window.newest(SPREAD_BARS + len(new))
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
        """Make the forecasts on the newest bar final; yield their rows."""
        assert self._asked is not None
        (outcome, forecasts), self._asked = self._asked, None
        if not event.in_time:
            yield self._final(outcome)
            return
        forecasts["latency_us"] = event.latency_us
        yield self._final(outcome, forecasts)

    def new_rows(self) -> tuple[Outcomes, Forecasts]:
        """Return the rows since the previous call; each cycle calls it once, at its end."""
        new, self._new = self._new, []
        outcomes = [np.zeros(0, OUTCOME), *(rows.outcome for rows in new)]
        forecasts = [np.zeros(0, FORECAST), *(rows.forecasts for rows in new)]
        return np.concatenate(outcomes), np.concatenate(forecasts)

    def restore(self, next_bar: int, bars: Bars) -> None:
        """Restore the position in the stream and the bars that a checkpoint had."""
        self._window.append(bars)
        self.next_bar, self.bars, self._new = next_bar, self._window.bars, []

    def _forecasts(self, outcome: Outcomes, cycle: int) -> Generator[Command, None, Forecasts]:
        """Forecast the bar after the newest with every runner; return the rows."""
        rows = missed_rows(outcome, self._roster.versions)
        rows["inputs"] = _digest(self.bars[-self._hashed :])
        for row, runner in zip(rows, self._roster.everyone, strict=True):
            row["status"], found, told = runner.forecast(self.bars, cycle)
            row["probability"] = np.nan if found.probability is None else found.probability
            row["action"] = NO_ACTION if found.action is None else found.action
            row["signal"] = signal_of(found, runner.confidence)
            yield from told
        return rows

    def _each(self, window: Bars, n: int, cycle: int) -> Iterator[Command]:
        """Forecast the bar after each of the newest ``n`` of ``window``; yield all rows."""
        outcomes, runners = outcomes_of(window, n), self._roster.everyone
        rows = missed_rows(outcomes, self._roster.versions).reshape(n, len(runners))
        ends = range(len(window) - n + 1, len(window) + 1)
        seen = [_digest(window[max(0, end - self._hashed) : end]) for end in ends]
        rows["inputs"] = np.array(seen, np.uint64)[:, None]
        for i, runner in enumerate(runners):
            found, told = runner.forecast_each(window, n, self._history_bars, cycle)
            rows["status"][:, i], rows["probability"][:, i] = found.status, found.probability
            rows["action"][:, i] = found.action
            rows["signal"][:, i] = found.signals(runner.confidence, agent=runner.is_agent)
            yield from told
        yield self._final(outcomes, rows.reshape(-1))

    def _final(self, outcome: Outcomes, forecasts: Forecasts | None = None) -> LedgerRows:
        """Add the final rows of bars to the ledger; None for ``forecasts`` makes them MISSED."""
        if forecasts is None:
            forecasts = missed_rows(outcome, self._roster.versions)
        rows = LedgerRows(outcome, forecasts)
        self._new.append(rows)
        return rows


def rows_digest(outcomes: Outcomes, forecasts: Forecasts) -> str:
    """Return the hash of rows of the ledger, without their latencies."""
    columns = [name for name in FORECAST.names or () if name != "latency_us"]
    return digest(outcomes, [forecasts[name] for name in columns])


def _digest(bars: Bars) -> int:
    """Return a 64-bit hash of bars."""
    return int.from_bytes(hashlib.blake2b(bars.tobytes(), digest_size=8).digest(), "little")

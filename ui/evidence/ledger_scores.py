"""Scores one symbol's ledger for the evidence tab, in the poller's thread, once for all viewers.

ledger (only what is new) -> MarketScores, at every cycle -> LedgerScores (frozen) -> evidence tab
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np

from datamodules.target import NEXT_BAR, Target
from streaming.ticks import NS_PER_S
from trainers.recording.errors import LedgerError
from trainers.recording.ledger import LedgerContents
from trainers.recording.tail import LedgerTail
from trainers.scoring.arena.board import Board, Standing, agents_in, ranked
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import FORECAST, OUTCOME, Forecasts, rows_between
from trainers.scoring.market.scores import MarketScores
from trainers.scoring.promotion.differences import by_brier
from trainers.scoring.promotion.lagged import Lagged
from ui.evidence.diagnostics import by_cost, curve, window_metrics
from ui.views.learner_names import MAJORITY, PERMUTED_LABELS, is_learner

logger = logging.getLogger(__name__)

OLDEST_SECONDS = 30.0  # scored again after that, cycle or not
NEWEST_SECONDS = 5.0  # and not before that

LATEST = np.iinfo(np.int64).max  # ns


@dataclasses.dataclass(frozen=True)
class LedgerScores:
    """What the page computes from a ledger.

    Attributes:
        windows: baseline -> its scores, by name, over the windows that the trainer does not log.
        curves: forecaster -> its calibration curve, see ``diagnostics.curve``.
        costs: learner -> its P&L at 0, 1 and 2 times the cost.
        control: log E, its peak and the number of bars of the bet that the permuted-label control
            knows something; None before the first bar.
        span_seconds: how long it is from the first bar to the last.
        standings: where the forecasters stand, the first first.
    """

    windows: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    curves: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    costs: dict[str, list[Estimate]] = dataclasses.field(default_factory=dict)
    control: tuple[float, float, int] | None = None
    span_seconds: float = 0.0
    standings: list[Standing] = dataclasses.field(default_factory=list)


class LedgerScorer:
    """Scores one symbol's ledger.

    Args:
        folder: the session's folder.
        symbol: the market.
        session_learners: the learners that the session names.
        fee_bps: cost of a change of position besides half the spread.
        target: what is forecast.
    """

    def __init__(
        self,
        folder: Path,
        symbol: str,
        session_learners: Collection[str],
        fee_bps: float,
        target: Target = NEXT_BAR,
    ) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._session_learners = session_learners
        self._fee_bps, self._target = fee_bps, target
        self._left = np.zeros(0, OUTCOME), np.zeros(0, FORECAST)
        self._market: MarketScores | None = None  # once the learners' names are known
        self._first_bar = -1
        self._control = Lagged(target)
        self._board = Board([], target)
        self._agents: set[str] = set()
        self._cycle: int | None = None
        self._at = 0.0
        self.scores = LedgerScores()

    def update(self, cycle: int | None) -> None:
        """Score the ledger if ``cycle`` is another one, or if the last time is long ago."""
        ago = time.monotonic() - self._at
        if self._at and ago < (NEWEST_SECONDS if cycle != self._cycle else OLDEST_SECONDS):
            return
        self._at, self._cycle = time.monotonic(), cycle
        try:
            found = self._tail.read()
        except LedgerError as e:
            logger.error("cannot score the ledger: %s", e)
            return
        if self._take(found):
            self.scores = self._score()

    @property
    def learners(self) -> list[str]:
        """The learners in the ledger, without the baselines."""
        return [name for name in self._tail.names if is_learner(name, self._session_learners)]

    def _take(self, found: LedgerContents) -> bool:
        """Take new rows; return whether there were any.

        Bars of which the forecasts are not all there yet are left for the next time.
        """
        outcomes = np.concatenate([self._left[0], found.outcomes])
        forecasts = np.concatenate([self._left[1], found.forecasts])
        to = complete_to(forecasts, len(self._tail.names))
        now, self._left = (
            (rows_between(outcomes, *bars), rows_between(forecasts, *bars))
            for bars in ((-1, to), (to, LATEST))
        )
        if len(now[0]) == 0:
            return False
        if self._market is None:
            self._market = MarketScores(self._tail.names, self._fee_bps, self._target)
            self._first_bar = int(now[0]["bar"][0])
            self._board = Board(ranked(self._tail.names, PERMUTED_LABELS), self._target)
        settled = self._market.take(*now)
        self._board.take({name: part.scored for name, part in settled.items()})
        self._agents |= agents_in(self._tail.names, now[1])
        if PERMUTED_LABELS in settled and MAJORITY in settled:
            control, majority = settled[PERMUTED_LABELS], settled[MAJORITY]
            self._control.bet(by_brier(control.judged, majority.judged))
        return True

    def _score(self) -> LedgerScores:
        assert self._market is not None
        learners, control = self.learners, self._control
        tracks = self._market.tracks
        ours = {name: tracks[name].tally for name in learners}
        return LedgerScores(
            {name: window_metrics(tracks[name]) for name in tracks if name not in ours},
            {name: curve(one.directions.grid) for name, one in ours.items() if one.scored},
            {name: by_cost(one) for name, one in ours.items() if one.begun},
            (control.log_value, control.log_peak, control.bars) if control.bars else None,
            float(self._market.moves.bar[-1] - self._first_bar) / NS_PER_S,
            self._board.standings(set(self._board.names) - self._agents),
        )


def complete_to(forecasts: Forecasts, learners: int) -> int:
    """Return the newest bar of which all learners' forecasts are there, ns; -1 if there is none.

    The newest ones may be half read: they are written while this reads them.
    """
    bars = forecasts["bar"]
    if len(bars) == 0:
        return -1
    newest = int(bars[-1])
    older = bars[bars < newest]
    if len(bars) - len(older) >= learners:
        return newest
    return int(older[-1]) if len(older) else -1

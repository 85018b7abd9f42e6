"""Scores one symbol's ledger for the evidence tab, in the poller's thread, once for all viewers.

ledger (only what is new) -> rows -> scored at every cycle -> LedgerScores (frozen) -> evidence tab
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from datamodules.labels import CLOSE
from streaming.ticks import NS_PER_S
from trainers.recording.errors import LedgerError
from trainers.recording.tail import LedgerTail
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import FORECAST, OUTCOME
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.promotion.differences import by_brier
from trainers.scoring.promotion.eprocess import Evidence
from trainers.scoring.scored import Scored, scored_of
from ui.evidence.diagnostics import by_cost, curve, window_metrics
from ui.views.learner_names import MAJORITY, PERMUTED_LABELS, is_learner

logger = logging.getLogger(__name__)

OLDEST_SECONDS = 30.0  # scored again after that, cycle or not
NEWEST_SECONDS = 5.0  # and not before that


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
    """

    windows: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    curves: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    costs: dict[str, list[Estimate]] = dataclasses.field(default_factory=dict)
    control: tuple[float, float, int] | None = None
    span_seconds: float = 0.0


class LedgerScorer:
    """Scores one symbol's ledger.

    Args:
        folder: the session's folder.
        symbol: the market.
        session_learners: the learners that the session names.
        fee_bps: cost of a change of position besides half the spread.
        label: the price whose next move is forecast.
    """

    def __init__(
        self,
        folder: Path,
        symbol: str,
        session_learners: Collection[str],
        fee_bps: float,
        label: str = CLOSE,
    ) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._session_learners = session_learners
        self._fee_bps, self._label = fee_bps, label
        self._outcomes = np.zeros(0, OUTCOME)
        self._forecasts = np.zeros(0, FORECAST)
        self._control = Evidence()
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
            new = self._tail.read()
        except LedgerError as e:
            logger.error("cannot score the ledger: %s", e)
            return
        if len(new.outcomes):
            self._outcomes = np.concatenate([self._outcomes, new.outcomes])
            self._forecasts = np.concatenate([self._forecasts, new.forecasts])
            self.scores = self._score()

    @property
    def learners(self) -> list[str]:
        """The learners in the ledger, without the baselines."""
        return [name for name in self._tail.names if is_learner(name, self._session_learners)]

    def _score(self) -> LedgerScores:
        moves = moves_of(self._outcomes, self._label)
        scored = {
            name: scored_of(moves, self._forecasts, i) for i, name in enumerate(self._tail.names)
        }
        papers = {name: paper_of(each, self._fee_bps) for name, each in scored.items()}
        learners = self.learners
        return LedgerScores(
            {n: window_metrics(scored[n], papers[n]) for n in scored if n not in learners},
            {n: curve(scored[n].samples()) for n in learners if scored[n].scored.any()},
            {n: by_cost(papers[n].since(scored[n].first)) for n in learners if _began(scored[n])},
            self._bet_on_control(scored),
            float(moves.bar[-1] - moves.bar[0]) / NS_PER_S,
        )

    def _bet_on_control(self, scored: Mapping[str, Scored]) -> tuple[float, float, int] | None:
        if PERMUTED_LABELS not in scored or MAJORITY not in scored:
            return None
        differences = by_brier(scored[PERMUTED_LABELS], scored[MAJORITY])
        new = slice(self._control.bars, None)  # bars mature in order
        self._control.bet(differences.better[new], differences.most[new])
        if not self._control.bars:
            return None
        return self._control.log_value, self._control.log_peak, self._control.bars


def _began(scored: Scored) -> bool:
    return scored.first < len(scored)

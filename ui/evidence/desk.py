"""Keeps one symbol's ledger, and what follows from it: in the poller's thread, once for everyone.

ledger (only what is new) -> rows -> judged at every cycle -> Judged (frozen) -> pages
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from trainers.recording.rows import LedgerError
from trainers.recording.tail import LedgerTail
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import FORECAST, OUTCOME
from trainers.scoring.metrics import named
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.promotion.differences import by_brier
from trainers.scoring.promotion.eprocess import Evidence
from trainers.scoring.scored import Scored, scored_of
from ui.evidence.judging import by_cost, curve, edge_bps, is_agent, window_metrics
from ui.live.ledger_marks import is_learner

logger = logging.getLogger(__name__)

OLDEST_SECONDS = 30.0  # judged again after that, cycle or not
NEWEST_SECONDS = 5.0  # and not before that
CANARY, MAJORITY = "canary", "majority"


@dataclasses.dataclass(frozen=True)
class Judged:
    """What a ledger came to.

    Attributes:
        metrics: by learner, scores that the trainer does not log, by name.
        rivals: by agent, the baseline that its ``live/edge_bps`` is over.
        curves: by forecaster, see ``judging.curve``.
        costs: by learner, P&L at 0, 1 and 2 times the cost.
        canary: the bets that it knows something.
        agents: who says what to do, and gives no probability.
    """

    metrics: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    rivals: dict[str, str] = dataclasses.field(default_factory=dict)
    curves: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    costs: dict[str, list[Estimate]] = dataclasses.field(default_factory=dict)
    canary: tuple[float, float, int] | None = None  # log E now, its peak, bars
    agents: frozenset[str] = frozenset()


class Desk:
    """Judges one symbol's ledger.

    Args:
        folder: the session's.
        symbol: the market.
        named: learners that the session names.
        fee_bps: cost of a change of position besides half the spread.
    """

    def __init__(self, folder: Path, symbol: str, named: Collection[str], fee_bps: float) -> None:
        self._tail = LedgerTail(folder, symbol)
        self._named, self._fee_bps = named, fee_bps
        self._outcomes = np.zeros(0, OUTCOME)
        self._forecasts = np.zeros(0, FORECAST)
        self._canary = Evidence()
        self._cycle: int | None = None
        self._at = 0.0
        self.judged = Judged()

    def look(self, cycle: int | None) -> None:
        """Judge anew if ``cycle`` is another one, or the last time is long ago."""
        ago = time.monotonic() - self._at
        if self._at and ago < (NEWEST_SECONDS if cycle != self._cycle else OLDEST_SECONDS):
            return
        self._at, self._cycle = time.monotonic(), cycle
        try:
            new = self._tail.read()
        except LedgerError as e:
            logger.error("cannot judge the ledger: %s", e)
            return
        if len(new.outcomes):
            self._outcomes = np.concatenate([self._outcomes, new.outcomes])
            self._forecasts = np.concatenate([self._forecasts, new.forecasts])
            self.judged = self._judge()

    @property
    def learners(self) -> list[str]:
        """The learners in the ledger that are no baselines."""
        return [name for name in self._tail.names if is_learner(name, self._named)]

    def _judge(self) -> Judged:
        moves = moves_of(self._outcomes)
        scored = {
            name: scored_of(moves, self._forecasts, i) for i, name in enumerate(self._tail.names)
        }
        papers = {name: paper_of(each, self._fee_bps) for name, each in scored.items()}
        ours = self.learners
        metrics, rivals = self._compare(ours, scored, papers)
        return Judged(
            metrics,
            rivals,
            {n: curve(scored[n].cases()) for n in ours if scored[n].scored.any()},
            {n: by_cost(papers[n].since(scored[n].first)) for n in ours if _began(scored[n])},
            self._watch_canary(scored),
            frozenset(name for name in scored if is_agent(scored[name])),
        )

    def _compare(
        self, ours: Collection[str], scored: Mapping[str, Scored], papers: Mapping[str, Paper]
    ) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
        """Return the baselines' windows, and the agents' P&L over the best of them."""
        baselines = [name for name in scored if name not in ours]
        metrics = {name: window_metrics(scored[name], papers[name]) for name in baselines}
        others = {name: papers[name] for name in baselines if is_agent(scored[name])}
        rivals = {}
        for name in ours:
            if is_agent(scored[name]) and (
                found := edge_bps(papers[name], others, scored[name].first)
            ):
                rivals[name], edge = found
                metrics[name] = named("live/", {"edge_bps": edge})
        return metrics, rivals

    def _watch_canary(self, scored: Mapping[str, Scored]) -> tuple[float, float, int] | None:
        if CANARY not in scored or MAJORITY not in scored:
            return None
        found = by_brier(scored[CANARY], scored[MAJORITY])
        new = slice(self._canary.bars, None)  # bars mature in order
        self._canary.bet(found.better[new], found.most[new])
        if not self._canary.bars:
            return None
        return self._canary.log_value, self._canary.log_peak, self._canary.bars


def _began(scored: Scored) -> bool:
    return scored.first < len(scored)

"""Forecasts, scores, edges and verdicts of all bars at once, as of a trainer that just began."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from datamodules.target import NEXT_BAR, Target
from streaming.bars import Bars
from trainers.config import TrainingConfig
from trainers.engine.commands import LedgerRows
from trainers.engine.drivers.backtest import Backtest
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import Roster
from trainers.learners.learner import Forecast, Learner
from trainers.scoring.batches import Batches
from trainers.scoring.direction.edge import Edge, savings
from trainers.scoring.direction.edge import edge_of as best_edge_of
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import MADE, NO_ACTION
from trainers.scoring.metrics import LONGEST, WINDOWS, named, start_of
from trainers.scoring.metrics import scores_of as scores_of_tally
from trainers.scoring.profit.edge import edge_bps as best_edge_bps
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.profit.scores import break_even, costs_of
from trainers.scoring.promotion import judges
from trainers.scoring.promotion.differences import Compare, by_brier
from trainers.scoring.promotion.eprocess import LEAK_ALPHA
from trainers.scoring.promotion.lagged import Lagged
from trainers.scoring.promotion.pairwise import CHAMPION, Comparisons, Pairwise
from trainers.scoring.promotion.verdict import Verdict
from trainers.scoring.scored import Scored
from trainers.scoring.tally import tally_of

FIRST_CYCLE = 200  # bars: enough for a few windows with their labels


def forecasts_of(
    learner: Learner, bars: Bars, config: TrainingConfig, *, first_cycle: int = FIRST_CYCLE
) -> list[Forecast | None]:
    """Backtest one learner alone.

    Args:
        learner: the learner; it is trained.
        bars: ``(T,)`` of dtype ``BAR``, consecutive, oldest first.
        config: the interval between cycles and the number of bars that each learns from.
        first_cycle: the number of bars that are known when the first cycle begins.

    Returns:
        ``T`` forecasts; forecast ``i`` was made when bar ``i`` closed. It is None where the learner
        made none, and before the first cycle.
    """
    trainer = MarketTrainer(config, "", Roster(config, [learner], []))
    found: list[Forecast | None] = [None] * len(bars)
    for command in Backtest(trainer, min_bars=first_cycle).take(bars):
        if not isinstance(command, LedgerRows):
            continue
        rows = command.forecasts[command.forecasts["learner"] == 0]
        for row in rows[rows["status"] == MADE]:
            i = int(np.searchsorted(bars["ts_open"], row["bar"]))
            agent = row["action"] != NO_ACTION
            action, probability = int(row["action"]), float(row["probability"])
            found[i] = Forecast(action=action) if agent else Forecast(probability)
    return found


def scores_of(scored: Scored, fee_bps: float, overlap: int = 0) -> dict[str, float]:
    """All scores over all windows, by full name."""
    paper = paper_of(scored, fee_bps)
    found: dict[str, float] = {}
    for prefix, seconds in WINDOWS.items():
        start = start_of(scored.moves.bar, seconds)
        part = scored.since(start)
        tally = tally_of(part, paper.since(start), overlap)
        if seconds is None:
            tally = tally.newest(scored.since(start_of(scored.moves.bar, LONGEST)))
        costs = Batches.of(*costs_of(part.moves, fee_bps), overlap=overlap)
        found |= named(prefix, scores_of_tally(tally, break_even(costs)))
    return found


def edge_of(ours: Scored, baselines: Mapping[str, Scored]) -> Edge | None:
    """The edge over the best baseline."""
    saved = {name: Batches.of(savings(ours, other)) for name, other in baselines.items()}
    return best_edge_of(saved, int(ours.scored.sum()))


def edges_of(ours: Scored, baselines: Mapping[str, Scored]) -> dict[str, Edge]:
    """The edge over each window, by full name."""
    found = {}
    for prefix, seconds in WINDOWS.items():
        start = start_of(ours.moves.bar, seconds)
        window = {name: other.since(start) for name, other in baselines.items()}
        if edge := edge_of(ours.since(start), window):
            found[f"{prefix}edge"] = edge
    return found


def edge_bps(ours: Paper, rivals: Mapping[str, Paper], first: int) -> tuple[str, Estimate] | None:
    """The edge of an agent whose first forecast was made at bar ``first``."""
    above = {name: ours.net_bps[first:] - rival.net_bps[first:] for name, rival in rivals.items()}
    return best_edge_bps({name: Batches.of(bars) for name, bars in above.items()})


def pairwise_of(against: str, ours: Scored, other: Scored, compare: Compare) -> Pairwise:
    """The comparison of two learners."""
    pair = Pairwise(against, copy.deepcopy(compare))
    pair.take(ours, other)
    return pair


def comparisons_of(ours: Scored, others: Mapping[str, Scored], compare: Compare) -> Comparisons:
    """The comparisons of a learner with others."""
    found = Comparisons(lambda: copy.deepcopy(compare))
    found.take(ours, others)
    return found


def judge_challenger(
    challenger: Scored,
    champion: Scored | None,
    baselines: Mapping[str, Scored],
    *,
    challenge: int,
    alpha: float = judges.ALPHA,
    compare: Compare = by_brier,
) -> Verdict:
    """The verdict on a challenger."""
    others = {**({} if champion is None else {CHAMPION: champion}), **baselines}
    found = comparisons_of(challenger, others, compare)
    return judges.judge_challenger(found, challenge=challenge, alpha=alpha)


def judge_champion(
    champion: Scored,
    baselines: Mapping[str, Scored],
    *,
    alpha: float = judges.ALPHA,
    compare: Compare = by_brier,
) -> Verdict:
    """The verdict on a champion."""
    return judges.judge_champion(comparisons_of(champion, baselines, compare), alpha=alpha)


class LeakVerdict(NamedTuple):
    """What a trainer would say of the permuted-label control."""

    alarm: bool
    log_evidence: float
    bars: int


def judge_control(control: Scored, majority: Scored, target: Target = NEXT_BAR) -> LeakVerdict:
    """The verdict on the permuted-label control."""
    evidence = Lagged(target)
    evidence.bet(by_brier(control, majority))
    return LeakVerdict(evidence.reaches(LEAK_ALPHA), evidence.log_peak, evidence.bars)

"""Scores all learners of a market from the rows of its ledger, once a cycle."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TypeVar

from datamodules.target import Target
from trainers.engine.runners.champion_challenger import ChampionChallenger
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import TradesLike
from trainers.learners.registry import MAJORITY, PERMUTED_LABELS
from trainers.names import LIVE
from trainers.scoring.arena.board import Board, ranked
from trainers.scoring.ledger import Forecasts, Outcomes, rows_between
from trainers.scoring.market.horizons import Horizons
from trainers.scoring.market.margins import AgentMargins, ForecasterMargins, Margins
from trainers.scoring.market.scores import MarketScores
from trainers.scoring.metrics import LONGEST, WINDOWS, named
from trainers.scoring.promotion.differences import ByProfit, by_brier
from trainers.scoring.promotion.discoveries import log_e_of_best, log_e_of_market
from trainers.scoring.promotion.eprocess import LEAK_ALPHA
from trainers.scoring.promotion.lagged import Lagged
from trainers.scoring.promotion.pairwise import Comparisons
from trainers.scoring.session import LOG_E, PNL

T = TypeVar("T")

# The metrics logged for a baseline: enough for a comparison, as each metric costs MLflow's store
# half a millisecond per cycle. The ledger has the rest.
OF_BASELINES = [
    f"{LIVE}{name}"
    for name in (
        "scored", "missed", "accuracy", "accuracy_ci", "log_loss", "log_loss_ci", "brier", "auc",
        "trades", "win_rate", "pnl_bps", "pnl_bps_ci", "gross_bps", "turnover",
    )
]  # fmt: skip


class Scorecard:
    """The scores of a market's runners, which it writes to their attribute ``live``.

    Args:
        learners: runners that get all metrics, with the edge over the best baseline: learners and
            champions. The ledger's names are theirs, then those of the baselines, in this order.
        baselines: runners that get fewer metrics.
        tests: the champion-challenger tests, which it hands the bars that are settled.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: what forecasters forecast.

    Attributes:
        alarmed: whether the alarm of the permuted-label control was raised already.
    """

    def __init__(
        self,
        learners: Sequence[LearnerRunner],
        baselines: Sequence[LearnerRunner],
        tests: Sequence[ChampionChallenger],
        fee_bps: float,
        target: Target,
    ) -> None:
        self._learners, self._baselines, self._tests = learners, baselines, tests
        everyone = [*learners, *baselines]
        self._scores = MarketScores([runner.name for runner in everyone], fee_bps, target)
        self._margins: dict[str, Margins] = {
            runner.name: AgentMargins() if runner.is_agent else ForecasterMargins(target.overlap)
            for runner in learners
        }
        champions = {test.champion.name for test in tests}
        self._own = [runner for runner in learners if runner.name not in champions]
        # Since the session began: a test that a new champion begins anew is no e-process over it.
        self._against_baselines = {
            runner.name: Comparisons(functools.partial(ByProfit, fee_bps))
            if runner.is_agent
            else Comparisons(lambda: by_brier, target)
            for runner in self._own
        }
        self._control = Lagged(target)
        self._horizons = Horizons(fee_bps, target)
        forecasters = [runner.name for runner in everyone if not runner.is_agent]
        self._board = Board(ranked(forecasters, PERMUTED_LABELS), target)
        self.alarmed = False

    def update(self, outcomes: Outcomes, forecasts: Forecasts) -> str:
        """Score with further rows, check for leaks; return a new alarm's text, else an empty one.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, later than those before.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of the same bars.
        """
        self._take(outcomes, forecasts)
        self._write()
        self._match_turnover()
        return self._check_control()

    def restore(self, alarmed: bool, outcomes: Outcomes, forecasts: Forecasts) -> None:
        """Score all rows after a restart; an alarm raised before it is not raised again."""
        self.alarmed = alarmed
        before = -1
        for i in range(0, len(outcomes), LONGEST):  # an hour at a time, so that it needs no room
            part = outcomes[i : i + LONGEST]
            newest = int(part["bar"][-1])
            self._take(part, rows_between(forecasts, before, newest))
            before = newest
        self._write()

    def standing(self) -> dict[str, float]:
        """Return the market's standing in the session, see ``trainers.scoring.session``."""
        found = {
            LOG_E: log_e_of_market(
                log_e_of_best(pair.won.log_value for pair in compared.rivals())
                for compared in self._against_baselines.values()
            )
        }
        agents = [runner for runner in self._own if runner.is_agent]
        trader = next(iter(agents or self._own), None)
        if trader is not None and f"{LIVE}pnl_bps" in trader.live:
            found[PNL] = trader.live[f"{LIVE}pnl_bps"]
        return found

    def tested(self, name: str) -> bool:
        """Return whether a forecast of a runner has met its label."""
        return self._scores.tracks[name].tally.tested > 0

    def due(self, name: str) -> int:
        """Return how many bars a runner was to forecast since its first cycle."""
        return self._scores.tracks[name].tally.bars

    def _take(self, outcomes: Outcomes, forecasts: Forecasts) -> None:
        settled = self._scores.take(outcomes, forecasts)
        self._horizons.take(outcomes)
        if not settled:
            return
        for runner in self._learners:
            self._margins[runner.name].take(settled[runner.name], self._rivals(runner, settled))
        judged = {name: part.judged for name, part in settled.items()}
        closed = {name: part.scored for name, part in settled.items()}
        self._board.take(closed)
        for test in self._tests:
            bars = closed if test.challenger.is_agent else judged
            test.take(bars, self._rivals(test.challenger, bars))
        for runner in self._own:
            bars = closed if runner.is_agent else judged
            self._against_baselines[runner.name].take(bars[runner.name], self._rivals(runner, bars))
        if {PERMUTED_LABELS, MAJORITY} <= judged.keys():
            self._control.bet(by_brier(judged[PERMUTED_LABELS], judged[MAJORITY]))

    def _rivals(self, runner: LearnerRunner, of: Mapping[str, T]) -> dict[str, T]:
        """Return what belongs to the baselines of a runner's kind, but for the control."""
        kind = runner.learner.kind
        names = [baseline.name for baseline in self._baselines if baseline.learner.kind == kind]
        return {name: of[name] for name in names if name != PERMUTED_LABELS}

    def _write(self) -> None:
        """Give all runners their scores."""
        tracks, break_evens = self._scores.tracks, self._scores.break_evens()
        ranks = self._ranks()
        for runner in self._learners:
            track = tracks[runner.name]
            edges = self._margins[runner.name].edges(track, self._rivals(runner, tracks))
            scores = track.scores(break_evens, WINDOWS) | named("", edges)
            runner.take_scores(scores | ranks.get(runner.name, {}))
        for runner in self._learners[:1]:  # of all learners it is the same
            runner.take_market(named("", self._horizons.scores()))
        for runner in self._baselines:
            scores = tracks[runner.name].scores(break_evens, [LIVE])
            runner.take_scores({name: scores[name] for name in OF_BASELINES if name in scores})

    def _ranks(self) -> dict[str, dict[str, float]]:
        """Return the places on the leaderboard, as metrics by full name, of those scored."""
        standings = self._board.standings(self._board.names)
        return {
            one.name: {
                f"{LIVE}rank": float(one.place),
                f"{LIVE}rank_best": float(one.best),
                f"{LIVE}rank_worst": float(one.worst),
            }
            for one in standings
            if one.bars
        }

    def _match_turnover(self) -> None:
        """Set the random baseline's turnover to that of the first agent."""
        agents = [runner for runner in self._learners if runner.is_agent]
        for runner in self._baselines:
            if agents and isinstance(runner.learner, TradesLike):
                runner.learner.trade_like(agents[0].live.get(f"{LIVE}turnover", 0.0))

    def _check_control(self) -> str:
        if self.alarmed or not self._control.reaches(LEAK_ALPHA):
            return ""
        self.alarmed = True
        return (
            f"labels leak: the permuted-label control is off chance (log E"
            f" {self._control.log_peak:.1f} after {self._control.bars} bars); trust no score of"
            " this session"
        )

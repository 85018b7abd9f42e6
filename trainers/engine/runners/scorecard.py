"""Scores all learners of a market from its ledger, once a cycle."""

from __future__ import annotations

from collections.abc import Sequence

from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import TradesLike
from trainers.learners.registry import MAJORITY, PERMUTED_LABELS
from trainers.names import LIVE
from trainers.scoring.direction.edge import edges_of
from trainers.scoring.ledger import LedgerTable
from trainers.scoring.metrics import named, scores_of
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.edge import edge_bps
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.promotion.eprocess import judge_control
from trainers.scoring.scored import Scored, scored_of

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
        ledger: the market's ledger; its names are those of the learners' runners, then those of
            the baselines', in this order.
        learners: runners that get all metrics, with the edge over the best baseline: learners and
            champions.
        baselines: runners that get fewer metrics.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        label: the price whose next move is forecast.

    Attributes:
        alarmed: whether the alarm of the permuted-label control was raised already.
        scored: the scored forecasts of all runners at the last update, by name.
    """

    def __init__(
        self,
        ledger: LedgerTable,
        learners: Sequence[LearnerRunner],
        baselines: Sequence[LearnerRunner],
        fee_bps: float,
        label: str,
    ) -> None:
        self._ledger, self._fee_bps, self._label = ledger, fee_bps, label
        self._learners, self._baselines = learners, baselines
        self.alarmed = False
        self.scored: dict[str, Scored] = {}

    def update(self) -> str:
        """Score all rows and check for leaks; return a new alarm's text, else an empty one."""
        self.refresh()
        self._match_turnover()
        return self._check_control()

    def refresh(self) -> None:
        """Score all rows, without any other effect."""
        moves = moves_of(self._ledger.outcomes, self._label)
        everyone = [*self._learners, *self._baselines]
        self.scored = {
            runner.name: scored_of(moves, self._ledger.forecasts, i)
            for i, runner in enumerate(everyone)
        }
        for runner in self._learners:
            scores = scores_of(self.scored[runner.name], self._fee_bps)
            runner.take_scores(scores | self._edge(runner))
        for runner in self._baselines:
            scores = scores_of(self.scored[runner.name], self._fee_bps)
            runner.take_scores({name: scores[name] for name in OF_BASELINES if name in scores})

    def restore(self, alarmed: bool) -> None:
        """Score all rows after a restart; an alarm raised before it is not raised again."""
        self.alarmed = alarmed
        self.refresh()

    def rivals(self, kind: str) -> dict[str, Scored]:
        """Return the baselines of a kind by name, without the permuted-label control."""
        names = [runner.name for runner in self._baselines if runner.learner.kind == kind]
        return {name: self.scored[name] for name in names if name != PERMUTED_LABELS}

    def _edge(self, runner: LearnerRunner) -> dict[str, float]:
        """Return a learner's edge over the best baseline of its kind, with intervals."""
        ours, rivals = self.scored[runner.name], self.rivals(runner.learner.kind)
        if not runner.is_agent:
            return named("", {name: edge.saved for name, edge in edges_of(ours, rivals).items()})
        if ours.first == len(ours):
            return {}
        papers = {name: paper_of(rival, self._fee_bps) for name, rival in rivals.items()}
        found = edge_bps(paper_of(ours, self._fee_bps), papers, ours.first)
        return named(LIVE, {"edge_bps": found[1] if found else None})

    def _match_turnover(self) -> None:
        """Set the random baseline's turnover to that of the first agent."""
        agents = [runner for runner in self._learners if runner.is_agent]
        for runner in self._baselines:
            if agents and isinstance(runner.learner, TradesLike):
                runner.learner.trade_like(agents[0].live.get(f"{LIVE}turnover", 0.0))

    def _check_control(self) -> str:
        if self.alarmed or not {PERMUTED_LABELS, MAJORITY} <= self.scored.keys():
            return ""
        verdict = judge_control(self.scored[PERMUTED_LABELS], self.scored[MAJORITY])
        if not verdict.alarm:
            return ""
        self.alarmed = True
        return (
            f"labels leak: the permuted-label control is off chance (log E"
            f" {verdict.log_evidence:.1f} after {verdict.bars} bars); trust no score of this"
            " session"
        )

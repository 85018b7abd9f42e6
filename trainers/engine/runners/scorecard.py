"""From the ledger to the scores of every learner: once a cycle, for one market."""

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

# What is logged of a baseline: enough to compare, since every metric a cycle costs half a
# millisecond in MLflow's store. The ledger has the rest.
OF_BASELINES = [
    f"{LIVE}{name}"
    for name in (
        "scored", "missed", "accuracy", "accuracy_ci", "log_loss", "log_loss_ci", "brier", "auc",
        "trades", "win_rate", "pnl_bps", "pnl_bps_ci", "gross_bps", "turnover",
    )
]  # fmt: skip


class Scorecard:
    """Keeps the ``live`` scores of every runner.

    Args:
        ledger: of the market; its names are those of the runners, in this order.
        learners: scored over all windows, with their edge over the best baseline.
        baselines: scored over the session, by fewer metrics.
        fee_bps: cost of a change of position besides half the spread.

    Attributes:
        alarmed: people were told that the permuted-label control knows something.
        scored: forecasts of everyone, by name, at the last update.
    """

    def __init__(
        self,
        ledger: LedgerTable,
        learners: Sequence[LearnerRunner],
        baselines: Sequence[LearnerRunner],
        fee_bps: float,
    ) -> None:
        self._ledger, self._fee_bps = ledger, fee_bps
        self._learners, self._baselines = learners, baselines
        self.alarmed = False
        self.scored: dict[str, Scored] = {}

    def update(self) -> str:
        """Score all rows; return the alarm that has to be told, nothing if there is none."""
        self.refresh()
        self._match_turnover()
        return self._check_control()

    def refresh(self) -> None:
        """Score all rows, and change nothing else."""
        moves = moves_of(self._ledger.outcomes)
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
        """Score all rows, after a restart; an alarm told before is not told again."""
        self.alarmed = alarmed
        self.refresh()

    def rivals(self, kind: str) -> dict[str, Scored]:
        """Return the baselines of a kind by name, without the permuted-label control."""
        names = [runner.name for runner in self._baselines if runner.learner.kind == kind]
        return {name: self.scored[name] for name in names if name != PERMUTED_LABELS}

    def _edge(self, runner: LearnerRunner) -> dict[str, float]:
        """Return what a learner is ahead of the best baseline of its kind, with intervals."""
        ours, rivals = self.scored[runner.name], self.rivals(runner.learner.kind)
        if not runner.is_agent:
            return named("", {name: edge.saved for name, edge in edges_of(ours, rivals).items()})
        if ours.first == len(ours):
            return {}
        papers = {name: paper_of(rival, self._fee_bps) for name, rival in rivals.items()}
        found = edge_bps(paper_of(ours, self._fee_bps), papers, ours.first)
        return named(LIVE, {"edge_bps": found[1] if found else None})

    def _match_turnover(self) -> None:
        """Let the random baseline trade as often as the first agent does."""
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

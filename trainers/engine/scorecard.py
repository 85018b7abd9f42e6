"""From the ledger to the scores of every learner: once a cycle, for one symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainers.engine.learner_runner import Seat
from trainers.recording.ledger import Ledger
from trainers.scoring.direction.edge import edges_of
from trainers.scoring.metrics import scores_of
from trainers.scoring.moves import moves_of
from trainers.scoring.promotion.eprocess import judge_canary
from trainers.scoring.scored import Scored, scored_of

CANARY, MAJORITY = "canary", "majority"

# What is kept of a baseline: enough to compare, since every metric a cycle costs half a
# millisecond in MLflow's store. The ledger has the rest.
OF_BASELINES = [
    f"live/{name}"
    for name in (
        "scored", "missed", "accuracy", "accuracy_ci", "log_loss", "log_loss_ci", "brier", "auc",
        "trades", "win_rate", "pnl_bps", "pnl_bps_ci", "gross_bps", "turnover",
    )
]  # fmt: skip


class Scoreboard:
    """Keeps every seat's ``live`` scores.

    Args:
        ledger: of the symbol; its names are those of the seats, in this order.
        learners: scored over all windows, with their edge over the best baseline.
        baselines: scored over the session, by fewer metrics.
        fee_bps: cost of a change of position besides half the spread.
    """

    def __init__(
        self,
        ledger: Ledger,
        learners: Sequence[Seat],
        baselines: Sequence[Seat],
        fee_bps: float,
    ) -> None:
        self._ledger, self._fee_bps = ledger, fee_bps
        self._learners, self._baselines = learners, baselines
        self.alarmed = False  # the canary has been told of
        self.scored: dict[str, Scored] = {}  # of everyone, by name, at the last update

    def update(self, until: int) -> Iterator[str]:
        """Score the ledger's rows up to a bar (ns); yield what somebody should be told.

        A trainer that was killed may have left later ones, which are not known yet to the one
        that takes up its work.
        """
        self.refresh(until)
        self._match_turnover()
        yield from self._watch_canary(self.scored)

    def rivals(self, kind: str) -> dict[str, Scored]:
        """Return the baselines of a kind by name, the canary left out."""
        names = [seat.learner.name for seat in self._baselines if seat.learner.kind == kind]
        return {name: self.scored[name] for name in names if name != CANARY}

    def refresh(self, until: int) -> None:
        """Score the ledger's rows up to a bar (ns), and change nothing else."""
        self.scored = scored = self._scored(until)
        rivals = self.rivals("forecaster")
        for seat in self._learners:
            name = seat.learner.name
            seat.live = scores_of(scored[name], self._fee_bps)
            for metric, edge in edges_of(scored[name], rivals).items():
                seat.live[metric] = edge.saved.value
                if edge.saved.half_width is not None:
                    seat.live[f"{metric}_ci"] = edge.saved.half_width
        for seat in self._baselines:
            scores = scores_of(scored[seat.learner.name], self._fee_bps)
            seat.live = {name: scores[name] for name in OF_BASELINES if name in scores}

    def _scored(self, until: int) -> dict[str, Scored]:
        outcomes, forecasts = self._ledger.between(-1, until)
        moves = moves_of(outcomes)
        return {
            seat.learner.name: scored_of(moves, forecasts, i)
            for i, seat in enumerate([*self._learners, *self._baselines])
        }

    def _match_turnover(self) -> None:
        """Have the random baseline trade as often as the first agent does."""
        agents = [seat for seat in self._learners if seat.learner.kind == "agent"]
        for seat in self._baselines:
            if agents and hasattr(seat.learner, "turnover"):
                seat.learner.turnover = agents[0].live.get("live/turnover", 0.0)

    def _watch_canary(self, scored: dict[str, Scored]) -> Iterator[str]:
        if self.alarmed or CANARY not in scored or MAJORITY not in scored:
            return
        verdict = judge_canary(scored[CANARY], scored[MAJORITY])
        if verdict.alarm:
            self.alarmed = True
            yield (
                f"the canary is off chance (log E {verdict.log_evidence:.1f} after {verdict.bars} "
                "bars): labels leak, trust no score of this session"
            )

"""A learner against the champion of its name: who serves, since when, and what the evidence says.

The learner as it goes on learning is the challenger; it is judged each cycle on the bars since the
champion began to serve (``trainers.scoring.promotion``). The verdict follows from the ledger; that
the registry's alias is moved by it, and that the session notices, is the trainer's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainers.engine.learner_runner import Seat
from trainers.learners.champion import Champion, Model
from trainers.scoring.promotion.differences import Compare, by_brier, by_profit
from trainers.scoring.promotion.judges import judge_challenger, judge_champion
from trainers.scoring.promotion.verdict import Verdict
from trainers.scoring.scored import Scored

STATE = ("version", "since", "challenge")


class Contest:
    """One learner's.

    Args:
        challenger: the learner's seat.
        champion: that of the versions which are champions, a ``Champion``.
        fee_bps: cost of a change of position besides half the spread.

    Attributes:
        version: of the champion, in the registry; 0 while there is none.
        since: the newest bar when it began to serve, ns; later ones count.
        challenge: number of this challenger in the champion's life; 0 while the registry has not
            been read yet, and nothing is judged.
        verdict: on the challenger, of the last cycle.
        on_champion: on the champion, of the last cycle; None while there is none.
    """

    def __init__(self, challenger: Seat, champion: Seat, fee_bps: float) -> None:
        self.challenger, self.champion = challenger, champion
        self.version, self.since, self.challenge = 0, -1, 0
        self.verdict: Verdict | None = None
        self.on_champion: Verdict | None = None
        agent = challenger.learner.kind == "agent"
        self._compare: Compare = by_profit(fee_bps) if agent else by_brier

    @property
    def name(self) -> str:
        """The learner's name."""
        return self.challenger.learner.name

    def install(self, version: int, model: Model | None, challenge: int, newest_bar: int) -> None:
        """Have another version serve from the next bar on; 0 and None for none."""
        assert isinstance(self.champion.learner, Champion)
        self.champion.learner.model = model
        self.version = self.champion.version = version
        self.since, self.challenge = newest_bar, challenge
        self.verdict = self.on_champion = None
        self.champion.status_text = f"version {version} serves" if version else "no champion yet"

    def judge(self, scored: Mapping[str, Scored], rivals: Mapping[str, Scored]) -> None:
        """Judge both on what is known now.

        Args:
            scored: of everyone, by name.
            rivals: baselines of the learner's kind, by name.
        """
        if self.challenge == 0:
            return
        ours = self._of(scored[self.name])
        baselines = {name: self._of(rival) for name, rival in rivals.items()}
        champion = self._of(scored[self.champion.learner.name]) if self.version else None
        self.verdict = judge_challenger(
            ours, champion, baselines, challenge=self.challenge, compare=self._compare
        )
        if champion is not None:
            self.on_champion = judge_champion(champion, baselines, compare=self._compare)

    def metrics(self) -> dict[str, float]:
        """Return the evidence of the last cycle."""
        if self.verdict is None:
            return {}
        return {
            "promotion/log_e": float(self.verdict.log_e),
            "promotion/log_threshold": float(self.verdict.log_threshold),
            "promotion/bars": float(self.verdict.bars),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs; the champion's model is the registry's."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any], model: Model | None) -> None:
        """Become the contest that ``state`` was taken from."""
        self.install(state["version"], model, state["challenge"], state["since"])

    def _of(self, scored: Scored) -> Scored:
        """Return the bars since the test began."""
        return scored.since(int(np.searchsorted(scored.moves.bar, self.since, side="right")))

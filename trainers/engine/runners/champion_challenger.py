"""A learner against the champion of its name: who serves, since when, what the evidence says.

The learner that goes on learning is the challenger. It is judged each cycle on the bars since the
champion began to serve (``trainers.scoring.promotion``). The verdict follows from the ledger; who
drives the engine moves the registry's alias by it and hands the new champion in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from datamodules.snapshot import Snapshot
from streaming.bars import Bars
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import Model, Versioned
from trainers.names import PROMOTION, champion_name
from trainers.scoring.promotion.differences import Compare, by_brier, by_profit
from trainers.scoring.promotion.judges import judge_challenger, judge_champion
from trainers.scoring.promotion.verdict import Verdict
from trainers.scoring.scored import Scored

SAVED = ("version", "since", "challenge")


class Champion:
    """A registered version that forecasts unchanged, as ``mlflow models serve`` would answer.

    Args:
        challenger: the learner whose versions these are; it says how to ask one.
        name: of the learner.
        kind: of the learner.
    """

    def __init__(self, challenger: Versioned, name: str, kind: str) -> None:
        self.name, self.kind = champion_name(name), kind
        self.model: Model | None = None
        self._predict = challenger.predict

    def serve(self, model: Model | None) -> None:
        """Forecast by another version from now on; None for none."""
        self.model = model

    def forecast(self, bars: Bars) -> Any:
        return None if self.model is None else self._predict(self.model, bars)

    def learn(self, snapshot: Snapshot) -> Mapping[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}  # the version is the registry's

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class ChampionChallenger:
    """The test of one learner.

    Args:
        challenger: the learner that goes on learning.
        confidence: probability from which a forecast is a trade signal.
        fee_bps: cost of a change of position besides half the spread.

    Attributes:
        champion: runs the version that is champion.
        version: of the champion, in the registry; 0 while there is none.
        since: the newest bar when it began to serve, ns; later ones count.
        challenge: number of this challenger in the champion's life; 0 while the registry has not
            been read yet, and nothing is judged.
        verdict: on the challenger, of the last cycle.
        on_champion: on the champion, of the last cycle; None while there is none.
    """

    def __init__(self, challenger: LearnerRunner, confidence: float, fee_bps: float) -> None:
        learner = challenger.learner
        assert isinstance(learner, Versioned)
        self._model_runner = Champion(learner, challenger.name, learner.kind)
        self.challenger = challenger
        self.champion = LearnerRunner(self._model_runner, confidence)
        self.version, self.since, self.challenge = 0, -1, 0
        self.verdict: Verdict | None = None
        self.on_champion: Verdict | None = None
        self._compare: Compare = by_profit(fee_bps) if challenger.is_agent else by_brier

    @property
    def name(self) -> str:
        """The learner's name."""
        return self.challenger.name

    def install(self, version: int, model: Model | None, challenge: int, newest_bar: int) -> None:
        """Let another version serve from the next bar on; 0 and None for none."""
        self._model_runner.serve(model)
        self.champion.serve_version(version)
        self.version = version
        self.since, self.challenge = newest_bar, challenge
        self.verdict = self.on_champion = None

    def judge(self, scored: Mapping[str, Scored], rivals: Mapping[str, Scored]) -> None:
        """Judge both on what is known now.

        Args:
            scored: forecasts of everyone, by name.
            rivals: those of the baselines of the learner's kind, by name.
        """
        if self.challenge == 0:
            return
        ours = self._counting(scored[self.name])
        baselines = {name: self._counting(rival) for name, rival in rivals.items()}
        champion = self._counting(scored[self.champion.name]) if self.version else None
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
            f"{PROMOTION}log_e": float(self.verdict.log_e),
            f"{PROMOTION}log_threshold": float(self.verdict.log_threshold),
            f"{PROMOTION}bars": float(self.verdict.bars),
        }

    def saved(self) -> dict[str, Any]:
        """Return what ``restore`` needs; the champion's model is the registry's."""
        return {name: getattr(self, name) for name in SAVED}

    def restore(self, saved: Mapping[str, Any], model: Model | None) -> None:
        """Become the test that was saved."""
        self.install(saved["version"], model, saved["challenge"], saved["since"])

    def _counting(self, scored: Scored) -> Scored:
        """Return the bars since the test began."""
        return scored.since(int(np.searchsorted(scored.moves.bar, self.since, side="right")))

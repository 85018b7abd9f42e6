"""The champion-challenger test of a learner: which version serves, and what the evidence says.

The learner, which keeps learning, is the challenger. Each cycle judges it on the bars since the
champion began to serve (``trainers.scoring.promotion``). The verdict follows from the ledger
alone; the engine's driver moves the registry's alias accordingly and installs the new champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from datamodules.snapshot import Snapshot
from datamodules.target import NEXT_BAR, Target
from streaming.bars import Bars
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.learner import Model, Versioned
from trainers.names import PROMOTION, champion_name
from trainers.scoring.promotion.differences import ByProfit, Compare, by_brier
from trainers.scoring.promotion.judges import judge_challenger, judge_champion
from trainers.scoring.promotion.pairwise import CHAMPION, Comparisons
from trainers.scoring.promotion.verdict import Verdict
from trainers.scoring.scored import Scored

SAVED = ("version", "since", "challenge")


class Champion:
    """A learner that forecasts with a registered version and never learns.

    Its forecasts are those of ``mlflow models serve`` with the same version.

    Args:
        challenger: the learner whose versions serve; its ``predict`` calls their models.
        name: the learner's name.
        kind: the learner's kind, a ``LearnerKind``.

    Attributes:
        model: the version's model; None while there is no champion.
    """

    def __init__(self, challenger: Versioned, name: str, kind: str) -> None:
        self.name, self.kind = champion_name(name), kind
        self.model: Model | None = None
        self._predict = challenger.predict

    def serve(self, model: Model | None) -> None:
        """Forecast with this model from now on; None for no champion."""
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
    """The test of one learner against its champion.

    Args:
        challenger: the learner's runner.
        confidence: probability from which a forecast is a trade signal.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: what forecasters forecast.

    Attributes:
        champion: the runner of the version that is champion.
        version: the champion's version in the registry; 0 while there is none.
        since: open time of the newest bar when the champion was installed, ns; only later bars
            count.
        challenge: the number of this challenge in the champion's life, from 1; 0 until the
            registry has been read, and until then nothing is judged.
        verdict: the last cycle's verdict on the challenger; None before the first.
        on_champion: the last cycle's verdict on the champion; None while there is no champion.
        turned: the decisions of the last cycle that were not those of the cycle before: what a
            verdict demands takes some cycles, and is told once.
    """

    def __init__(
        self,
        challenger: LearnerRunner,
        confidence: float,
        fee_bps: float,
        target: Target = NEXT_BAR,
    ) -> None:
        learner = challenger.learner
        assert isinstance(learner, Versioned)
        self._model_runner = Champion(learner, challenger.name, learner.kind)
        self.challenger = challenger
        self.champion = LearnerRunner(self._model_runner, confidence)
        self.version, self.since, self.challenge = 0, -1, 0
        self.verdict: Verdict | None = None
        self.on_champion: Verdict | None = None
        self.turned: set[str] = set()
        self._fee_bps = fee_bps
        # An agent is judged by what it earns from bar to bar.
        self._target = target._replace(horizon=1) if challenger.is_agent else target
        self._begin()

    def _begin(self) -> None:
        """Begin the tests: nothing has been compared yet."""
        self._of_challenger = Comparisons(self._new_compare, self._target)
        self._of_champion = Comparisons(self._new_compare, self._target)

    def _new_compare(self) -> Compare:
        return ByProfit(self._fee_bps) if self.challenger.is_agent else by_brier

    @property
    def name(self) -> str:
        """The learner's name."""
        return self.challenger.name

    def install(self, version: int, model: Model | None, challenge: int, newest_bar: int) -> None:
        """Install a version as champion from the next bar on; 0 and None for no champion.

        Args:
            version: the version's number in the registry.
            model: the version's model.
            challenge: the number of the challenge that begins.
            newest_bar: open time of the newest bar, ns; the test counts later ones.
        """
        self._model_runner.serve(model)
        self.champion.serve_version(version)
        self.version = version
        self.since, self.challenge = newest_bar, challenge
        self.verdict = self.on_champion = None
        self._begin()

    def take(self, settled: Mapping[str, Scored], rivals: Mapping[str, Scored]) -> None:
        """Compare at further bars; those up to the champion's installation do not count.

        Args:
            settled: what is known of all runners' forecasts, by name; of forecasters also those
                whose labels are open.
            rivals: those of the baselines of the learner's kind, by name.
        """
        baselines = {name: self._counting(rival) for name, rival in rivals.items()}
        ours, champion = (self._counting(settled[name]) for name in (self.name, self.champion.name))
        if self.version:
            self._of_challenger.take(ours, {CHAMPION: champion, **baselines})
            self._of_champion.take(champion, baselines)
        else:
            self._of_challenger.take(ours, baselines)

    def judge(self) -> None:
        """Judge challenger and champion on the bars since the champion was installed."""
        if self.challenge == 0:
            return
        before = self._decisions()
        self.verdict = judge_challenger(self._of_challenger, challenge=self.challenge)
        if self.version:
            self.on_champion = judge_champion(self._of_champion)
        self.turned = self._decisions() - before

    def _decisions(self) -> set[str]:
        return {verdict.decision for verdict in (self.verdict, self.on_champion) if verdict}

    def metrics(self) -> dict[str, float]:
        """Return the last cycle's evidence for the challenger, as metrics by full name."""
        if self.verdict is None:
            return {}
        return {
            f"{PROMOTION}log_e": float(self.verdict.log_e),
            f"{PROMOTION}log_threshold": float(self.verdict.log_threshold),
            f"{PROMOTION}bars": float(self.verdict.bars),
        }

    def saved(self) -> dict[str, Any]:
        """Return what ``restore`` needs, without the model, which the registry keeps."""
        return {name: getattr(self, name) for name in SAVED}

    def restore(self, saved: Mapping[str, Any], model: Model | None) -> None:
        """Restore what ``saved`` returned, given the champion's model."""
        self.install(saved["version"], model, saved["challenge"], saved["since"])

    def _counting(self, scored: Scored) -> Scored:
        """Return the part of ``scored`` since the test began."""
        return scored.since(int(np.searchsorted(scored.moves.bar, self.since, side="right")))

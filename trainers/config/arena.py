"""The settings of the arena: those of a session, with more learners, none of which needs more."""

from __future__ import annotations

import dataclasses
from typing import Any

from streaming.program.settings import setting
from trainers.config.backtest import BacktestConfig
from trainers.config.session import SessionConfig

ENTRANTS = (
    "cnn",
    "sklearn:naive_bayes.GaussianNB",
    "sklearn:neural_network.MLPClassifier",
    "sklearn:ensemble.HistGradientBoostingClassifier",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArenaConfig(SessionConfig):
    """The settings of the arena: a session, or with the source tape:PATH a backtest.

    Set an entrant's own settings with --learner.NAME.SETTING VALUE.
    """

    learners: str = setting(
        ",".join(ENTRANTS), "entrants separated by commas, as learners of a session"
    )

    @property
    def is_backtest(self) -> bool:
        """Whether it is a tape, which needs no market's time."""
        return self.source.startswith("tape:")

    def session(self) -> SessionConfig:
        """Return the settings of the session."""
        return SessionConfig(**self._fields)

    def backtest(self) -> BacktestConfig:
        """Return the settings of the backtest, which has no page, so 0 for no port is meant."""
        none = {name for name in ("page_port", "mlflow_ui_port") if getattr(self, name) == 0}
        return BacktestConfig(**{k: v for k, v in self._fields.items() if k not in none})

    @property
    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

"""The settings of a search for a learner's settings: those of a backtest, and how to search."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from streaming.errors import ConfigError
from streaming.program.settings import setting
from trainers.config.backtest import FLAGS, WITHOUT, BacktestConfig
from trainers.config.session import SessionConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneConfig(BacktestConfig):
    """The settings of a search for a learner's settings.

    Those that are not searched are as given: --learner.NAME.SETTING VALUE.
    """

    tuned: str = setting("cnn", "the learner whose settings are searched, by name or module:Class")
    trials: int = setting(50, "settings to try, those as given among them", low=2, high=100_000)
    batch: int = setting(
        8, "trials asked for together, whose order of ending changes nothing; more than there are"
        " workers leave none idle, fewer let the search learn earlier",
        low=1, high=1000,
    )  # fmt: skip
    space: str = setting(
        "", "what to search: NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A|B|C, separated by commas;"
        " by default each number from a fourth to four times of what it is",
    )  # fmt: skip
    prune: bool = setting(
        True, "give up trials that are worse than the best, beyond doubt, at a ninth or a third of"
        " the tape",
    )  # fmt: skip
    workers: int = setting(
        0, "processes at once, each with a trial; 0: one a core; the results are the same bits",
        low=0, high=256,
    )  # fmt: skip
    resume: str = setting("", "go on with a search that was ended: its run id, or last")

    without: ClassVar[tuple[str, ...]] = (
        *(name for name in WITHOUT if name != "resume"), "learners", "log_baselines", "cuts",
    )  # fmt: skip
    flag_names: ClassVar[dict[str, str]] = {**FLAGS, "tuned": "learner"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tuned.strip() or "," in self.tuned:
            raise ConfigError(f"learner: got {self.tuned!r}; allowed: one, by name or module:Class")

    @property
    def learner_list(self) -> list[str]:
        """The learner's name or import path."""
        return [self.tuned.strip()]

    def for_record(self) -> SessionConfig:
        """Return the settings of the backtest of a trial."""
        return dataclasses.replace(super().for_record(), learners=self.tuned.strip(), resume="")

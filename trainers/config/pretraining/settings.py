"""The settings of the program that learns from recorded tapes where a session's CNN starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from datamodules.target import LABELS
from streaming.config import BarConfig
from streaming.errors import ConfigError
from streaming.program.settings import setting
from trainers.config.backtest import BacktestConfig
from trainers.config.session import FEATURE_SETS

SAVE = "save"  # the flag of ``file``: a record has a method of that name


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainConfig(BarConfig):
    """Learn from recorded tapes where the CNN of a session starts."""

    examples: ClassVar[Sequence[str]] = (
        "python -m trainers.research.pretraining --tapes DAYS,BTCUSDT.zip --save start.json",
        "python -m trainers.session --learner.cnn.start start.json",
    )

    tapes: str = setting(
        "", "files or folders of recorded trades, separated by commas, as after tape: of a source;"
        " all their symbols are learned from",
    )  # fmt: skip
    file: str = setting("start.json", "the file to write; it is replaced if it is there")
    features: str = setting("flow", "the CNN's input columns", choices=FEATURE_SETS[1:])
    label: str = setting("close", "the price whose move is forecast", choices=LABELS)
    horizon: int = setting(1, "how many bars ahead", unit="bars", low=1, high=600)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tape_list:
            raise ConfigError("tapes: got none; allowed: files or folders, separated by commas")

    @property
    def tape_list(self) -> list[str]:
        """The addresses of the tapes."""
        return [text.strip() for text in self.tapes.split(",") if text.strip()]

    @classmethod
    def flags(cls) -> dict[str, dict[str, Any]]:
        found = super().flags().items()  # nothing is drawn, so there is no seed
        return {SAVE if name == "file" else name: flag for name, flag in found if name != "seed"}

    @classmethod
    def group_of(cls, name: str) -> str:
        return super().group_of("file" if name == SAVE else name)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return settings, given by their flags; the others have their defaults."""
        return super().of(**{"file" if flag == SAVE else flag: values[flag] for flag in values})

    def backtest(self, tape: str, symbols: Sequence[str]) -> BacktestConfig:
        """Return the settings by which a backtest makes the bars of one tape."""
        return BacktestConfig(
            source=f"tape:{tape}",
            symbols=",".join(symbols),
            bar_seconds=self.bar_seconds,
            features=self.features,
            label=self.label,
            horizon=self.horizon,
        )

"""A champion: a registered version that forecasts beside the learner that made it, unchanged.

It is what ``mlflow models serve`` would answer with: the exported program itself, raw bars in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datamodules.snapshot import Snapshot
from streaming.bars import Bars

Model = Callable[[Any], Any]  # raw bars (B, T, 10) float64 -> the version's answer


def champion_name(learner: str) -> str:
    """Return the name under which a learner's champion has its rows and its run."""
    return f"{learner}.champion"


class Champion:
    """Says what the version that is champion says; silent while there is none.

    Args:
        learner: name of the learner whose versions these are.
        kind: of the learner.
        speak: ``(model, bars)`` -> what a learner's ``forecast`` returns.
    """

    def __init__(self, learner: str, kind: str, speak: Callable[[Model, Bars], Any]) -> None:
        self.name, self.kind = champion_name(learner), kind
        self.model: Model | None = None
        self._speak = speak

    def forecast(self, bars: Bars) -> Any:
        return None if self.model is None else self._speak(self.model, bars)

    def learn(self, snapshot: Snapshot) -> Mapping[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}  # the version is the registry's

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass

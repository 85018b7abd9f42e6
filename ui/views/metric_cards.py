"""Which metrics a learner's card shows, and how. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from ui.views.formatting import (
    NO_TRADES,
    UNSCORED,
    UNTRAINED,
    bp,
    count,
    decimals,
    nats,
    percent,
    plain,
    signed,
)


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric on a card.

    Attributes:
        key: the metric's name in MLflow.
        label: its name for people.
        format: formats its value.
        unknown: shown while there is no value.
        wide: whether it needs a line for itself.
    """

    key: str
    label: str
    format: Callable[[float], str]
    unknown: str = UNTRAINED
    wide: bool = False

    def text(self, metrics: Mapping[str, float]) -> str:
        """Return the metric's text, with the half-width of its interval if that is known."""
        value, width = metrics.get(self.key), metrics.get(f"{self.key}_ci")
        if value is None:
            return self.unknown
        return self.format(value) + (f" ± {self.format(width).lstrip('+')}" if width else "")


@dataclasses.dataclass(frozen=True)
class Card:
    """One learner's card: the first line is its headline."""

    title: str
    lines: tuple[Line, ...]


LIVE_ACCURACY = Line("live/accuracy", "Live accuracy (test-then-train)", percent, UNSCORED)
EDGE = Line("live/edge", "Edge over best baseline, nats", nats, UNSCORED, wide=True)
PNL = Line("live/pnl_bps", "P&L after costs", bp, NO_TRADES, wide=True)
EDGE_BPS = Line("live/edge_bps", "P&L over best baseline", bp, UNSCORED, wide=True)

CARDS = {
    "cnn": Card(
        "CNN",
        (
            LIVE_ACCURACY,
            EDGE,
            Line("train/accuracy", "Train accuracy (seen data)", percent, wide=True),
            Line("train/loss", "Train loss", decimals),
            Line("train/epochs", "Epochs", count),
            Line("train/learning_rate", "Learning rate", plain),
        ),
    ),
    "dqn": Card(
        "DQN",
        (
            Line("live/win_rate", "Live win rate (test-then-train)", percent, NO_TRADES),
            PNL,
            EDGE_BPS,
            Line("train/average_reward", "Average reward", signed),
            Line("train/episodes", "Episodes", count),
            Line("train/epsilon", "Epsilon", decimals),
            Line("train/memory_size", "Replay size", count),
        ),
    ),
}


# What a card shows anyway.
SHOWN = {"live/accuracy", "live/scored", "live/edge", "live/break_even"}


def card_of(learner: str, metrics: Mapping[str, float]) -> Card:
    """Return a learner's card; one that has none here shows the first metrics that it logs."""
    if learner in CARDS:
        return CARDS[learner]
    others = sorted(key for key in metrics if key not in SHOWN and key.count("/") == 1)
    logged = [Line(key, key, plain) for key in others if not key.endswith("_ci")]
    return Card(learner, (LIVE_ACCURACY, EDGE, *logged[:6]))

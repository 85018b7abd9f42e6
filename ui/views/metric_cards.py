"""Which metrics a learner's card shows, and how. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from ui.views.formatting import (
    NO_TRADES,
    UNKNOWN,
    UNSCORED,
    UNTRAINED,
    bp,
    count,
    decimals,
    fall,
    nats,
    percent,
    plain,
    share_of_coin,
    signed,
)

FEW = 30  # samples: a score of fewer says little, however large it is


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric on a card.

    Attributes:
        key: the metric's name in MLflow.
        label: its name for people.
        format: formats its value.
        unknown: shown while there is no value.
        wide: whether it needs a line for itself.
        of: the metric that counts the samples of the value; empty if it has none.
        samples: what these are called after the value; empty leaves them out.
        also: formats the value in another unit, to stand behind it.
        unit: said once, after the interval, where there is little room; else the format has it.
    """

    key: str
    label: str
    format: Callable[[float], str]
    unknown: str = UNTRAINED
    wide: bool = False
    of: str = ""
    samples: str = ""
    also: Callable[[float], str] | None = None
    unit: str = ""

    def text(self, metrics: Mapping[str, float]) -> str:
        """Return the metric's text, with the half-width of its interval if that is known.

        A value of few samples begins with their number, which the page shows in grey.
        """
        value, width = metrics.get(self.key), metrics.get(f"{self.key}_ci")
        n = metrics.get(self.of)
        if value is None or (n == 0 and value == 0):
            return self.unknown
        shown = self.format(value) + (f" ± {self.format(width).lstrip('+')}" if width else "")
        shown += f" {self.unit}" if self.unit else ""
        shown += f" ({self.also(value)})" if self.also else ""
        if n is not None and n < FEW:
            return f"n = {n:.0f}: {shown}"
        return f"{shown} of {count(n)} {self.samples}" if self.samples and n is not None else shown


@dataclasses.dataclass(frozen=True)
class Card:
    """One learner's card: the first line is its headline."""

    title: str
    lines: tuple[Line, ...]


PNL = Line("live/pnl_bps", "Net P&L after costs", bp, NO_TRADES, of="live/trades")
DRAWDOWN = Line("live/drawdown", "Drawdown", fall, NO_TRADES, unit="bp")
MISSED = Line("live/missed_rate", "Missed", percent, UNKNOWN)
LIVE_ACCURACY = Line(
    "live/accuracy", "Live accuracy (test-then-train)", percent, UNSCORED, wide=True,
    of="live/scored", samples="bars",
)  # fmt: skip
WIN_RATE = Line(
    "live/win_rate", "Live win rate (test-then-train)", percent, NO_TRADES, wide=True,
    of="live/trades", samples="trades",
)  # fmt: skip
EDGE = Line(
    "live/edge", "Edge, nats (over best baseline)", nats, UNSCORED, wide=True, of="live/scored",
    also=share_of_coin,
)  # fmt: skip
EDGE_BPS = Line(
    "live/edge_bps", "P&L over best baseline", bp, NO_TRADES, wide=True, of="live/trades"
)
SCORED = Line("live/scored", "Bars scored", count, UNSCORED)
MONEY = (PNL, DRAWDOWN, MISSED)

CARDS = {
    "cnn": Card(
        "CNN",
        (
            *MONEY,
            LIVE_ACCURACY,
            EDGE,
            Line("train/accuracy", "Train accuracy", percent),
            Line("train/loss", "Train loss", decimals),
            Line("train/epochs", "Epochs", count),
            Line("train/learning_rate", "Learning rate", plain),
        ),
    ),
    "dqn": Card(
        "DQN",
        (
            *MONEY,
            WIN_RATE,
            EDGE_BPS,
            Line("train/average_reward", "Average reward", signed),
            Line("train/episodes", "Episodes", count),
            Line("train/epsilon", "Epsilon", decimals),
            Line("train/memory_size", "Replay size", count),
        ),
    ),
}


# What a card shows anyway.
SHOWN = {line.key for line in (*MONEY, LIVE_ACCURACY, EDGE)} | {
    "live/scored", "live/missed", "live/trades", "live/break_even",
}  # fmt: skip


def label_of(key: str) -> str:
    """Return a metric's name for people.

    >>> label_of("live/calibration_error"), label_of("train/learning_rate")
    ('Calibration error', 'Train learning rate')
    """
    room, _, name = key.replace("_", " ").partition("/")
    return f"Train {name}" if room == "train" else name.capitalize()


def card_of(learner: str, metrics: Mapping[str, float]) -> Card:
    """Return a learner's card; one that has none here shows the first metrics that it logs."""
    if learner in CARDS:
        return CARDS[learner]
    others = sorted(key for key in metrics if key not in SHOWN and key.count("/") == 1)
    logged = [Line(key, label_of(key), plain) for key in others if not key.endswith("_ci")]
    return Card(learner, (*MONEY, LIVE_ACCURACY, EDGE, *logged[:6]))

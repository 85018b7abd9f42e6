"""What people call a metric, and which metrics a learner's card shows, and how. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from trainers.names import HORIZON
from trainers.scoring.metrics import WINDOWS
from ui.views.formatting import (
    NO_TRADES,
    UNKNOWN,
    UNSCORED,
    UNTRAINED,
    bp,
    count,
    decimals,
    exact_duration,
    fall,
    nats,
    percent,
    plain,
    share_of_coin,
    signed,
)
from ui.views.glossary import TERMS, plain_name

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
            Line("train/average_reward", "Average reward", signed, unit="bp"),
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


def card_of(learner: str, metrics: Mapping[str, float]) -> Card:
    """Return a learner's card; one that has none here shows the first metrics that it logs."""
    if learner in CARDS:
        return CARDS[learner]
    others = sorted(key for key in metrics if key not in SHOWN and key.count("/") == 1)
    logged = [Line(key, label_of(key), plain) for key in others if not key.endswith("_ci")]
    return Card(learner, (*MONEY, LIVE_ACCURACY, EDGE, *logged[:6]))


# Those whose words are not in their name in MLflow.
NAMES = {
    "live/pnl_bps": "Net P&L after costs",
    "live/gross_bps": "P&L before costs",
    "live/edge": "Edge over best baseline",
    "live/edge_bps": "P&L over best baseline",
    "live/scored": "Bars scored",
    "live/flat": "Bars without a move",
    "live/flat_rate": "Bars without a move",
    "live/missed_rate": "Missed",
    "live/rank_best": "Rank, at best",
    "live/rank_worst": "Rank, at worst",
    "live/brier": "Brier score",
    "live/auc": "AUC",
    "live/mcc": "MCC",
    "live/break_even": "Accuracy needed",
    "horizon/Ns/move_bps": "Mean move",
    "horizon/Ns/break_even": "Accuracy needed",
    "stream/lag_ms": "Stream lag",
    "stream/span_seconds": "Stream span",
    "train/seconds": "Train time",
    "promotion/log_e": "Evidence for promotion, log E",
    "promotion/log_threshold": "Evidence needed, log E",
}


def label_of(key: str) -> str:
    """Return a metric's name for people, without its window and unit.

    >>> label_of("live/calibration_error"), label_of("train/learning_rate"), label_of("mine")
    ('Calibration error', 'Train learning rate', 'Mine')
    >>> label_of("stream/gaps"), label_of("live/10m/pnl_bps_ci")
    ('Stream gaps', 'Net P&L after costs')
    """
    metric = plain_name(key)
    if metric in NAMES:
        return NAMES[metric]
    room, _, name = metric.replace("_", " ").rpartition("/")
    text = name if room in ("", "live") else f"{room.replace('/', ' ')} {name}"
    return text[:1].upper() + text[1:]


def full_name(key: str) -> str:
    """Return a metric's name for people, with what tells it from all others, and its unit.

    >>> full_name("live/accuracy"), full_name("live/10m/accuracy_ci")
    ('Accuracy, share', 'Accuracy, ±, last 10 min, share')
    >>> full_name("horizon/60s/move_bps"), full_name("live/scored"), full_name("train/mine")
    ('Mean move, over 60 s, bp', 'Bars scored', 'Train mine')
    """
    label, term = label_of(key), TERMS.get(plain_name(key))
    unit = term.unit if term and term.unit not in label.lower().split() else ""
    return ", ".join(filter(None, [label, "±" * key.endswith("_ci"), _within(key), unit]))


def _within(key: str) -> str:
    """Return over which time a metric counts; empty for the whole session."""
    if key.startswith(HORIZON):
        return f"over {key.split('/')[1].removesuffix('s')} s"
    for prefix, seconds in WINDOWS.items():
        if seconds is not None and key.startswith(prefix):
            return f"last {exact_duration(seconds)}"
    return ""

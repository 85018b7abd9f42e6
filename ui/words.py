"""How the page writes numbers: what is not known yet is said in words, never as 0."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping

UNTRAINED = "not trained yet"
UNSCORED = "no bars scored yet"
NO_TRADES = "no trades yet"
UNKNOWN = "not known yet"
CHAMPION_RUN = ".champion"  # after a learner's name: its champion, frozen
NOT_APPLICABLE = "—"  # what an agent or a baseline has no such score of


def percent(value: float) -> str:
    """Write a fraction: 0.5421 is ``54.2 %``."""
    return f"{100 * value:.1f} %"


def count(value: float) -> str:
    """Write a whole number: ``17,890``."""
    return f"{value:,.0f}"


def signed(value: float) -> str:
    """Write a number with its sign: ``+0.0891``."""
    return f"{value:+.3g}"


def plain(value: float) -> str:
    """Write a number as short as it stays clear: ``0.001``, ``1,234``."""
    return f"{value:,.4g}" if abs(value) < 1000 else count(value)


def decimals(value: float) -> str:
    """Write four decimals: ``0.6859``."""
    return f"{value:.4f}"


def bp(value: float) -> str:
    """Write basis points with their sign: ``+12.4 bp``."""
    return f"{value:+,.1f} bp" if abs(value) < 1000 else f"{value:+,.0f} bp"


def nats(value: float) -> str:
    """Write an edge in nats, with its sign: ``+0.0123``."""
    return f"{value:+.4f}"


def clock(ts: float) -> str:
    """Write a time of day, UTC: ``2024-03-01 12:31``."""
    return datetime.datetime.fromtimestamp(ts, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Write a length of time: ``42 s``, ``14.9 min``, ``3.1 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric on a card."""

    key: str  # of the metric in MLflow
    label: str
    write: Callable[[float], str]
    unknown: str = UNTRAINED
    wide: bool = False  # needs a line for itself

    def of(self, metrics: Mapping[str, float]) -> str:
        """Return the metric in words, with the half-width of its interval if that is known."""
        value, width = metrics.get(self.key), metrics.get(f"{self.key}_ci")
        if value is None:
            return self.unknown
        return self.write(value) + (f" ± {self.write(width).lstrip('+')}" if width else "")


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


# On a card anyway.
SAID = {"live/accuracy", "live/scored", "live/edge", "live/break_even"}


def is_agent(metrics: Mapping[str, float]) -> bool:
    """Tell whether a learner says what to do, and not how likely a rise is."""
    return bool(metrics.get("live/trades")) and not metrics.get("live/scored")


def card_of(learner: str, metrics: Mapping[str, float]) -> Card:
    """Return the card of a learner; one that is not known here shows what it logs."""
    if learner in CARDS:
        return CARDS[learner]
    others = sorted(key for key in metrics if key not in SAID and key.count("/") == 1)
    logged = [Line(key, key, plain) for key in others if not key.endswith("_ci")]
    return Card(learner, (LIVE_ACCURACY, EDGE, *logged[:6]))

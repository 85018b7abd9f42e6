"""What a ``MarketTrainer`` is handed: plain records, each a decision of whoever drives it.

Everything that the engine cannot know by itself is in here: which bars were taken when, whether
their forecasts were in time, when a cycle began, what a clock measured, what an operator wished.
The rest follows, so the same events give the same commands, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.bars import Bars
from trainers.learners.learner import Model

# How many rows of each stream were seen: {"ticks": n}.
Watermark = Mapping[str, int]


class BarsTaken(NamedTuple):
    """Bars that have become final.

    Attributes:
        bars: ``(n,)`` of dtype ``BAR``, n > 0, those right after the ones taken before.
        ask: whether the newest is to be forecast; False if that is known to be too late.
    """

    bars: Bars
    ask: bool = True


class ForecastsTimed(NamedTuple):
    """The answer to ``ForecastsMade``.

    Attributes:
        in_time: no later bar was known when the forecasts were made; else they are MISSED.
        latency_us: from the bar being known to its forecasts; one number, or one a row.
    """

    in_time: bool
    latency_us: int | NDArray[np.int64] = 0


class CycleBegun(NamedTuple):
    """A training cycle begins; it learns from the bars taken so far.

    Attributes:
        cycle: its number, from 1.
        watermark: rows of each stream that it may see.
        now: event time of the newest tick among them, ns.
        oldest: the first tick that the cache still held.
        oldest_ts: its event time, ns.
        wall_ms: our clock, Unix epoch: the time of the cycle's metrics.
        stats: what the feed had counted, by name.
        digest: hash of the ticks since the cycle before.
    """

    cycle: int
    watermark: Watermark
    now: int
    oldest: int
    oldest_ts: int
    wall_ms: int
    stats: Mapping[str, float]
    digest: str


class LearnerTurn(NamedTuple):
    """One learner of the cycle is to learn now; each has one turn, in the order of ``turns``."""

    learner: str


class CycleEnded(NamedTuple):
    """All learners of the cycle have had their turn.

    Attributes:
        seconds: that each turn took, by learner.
        overran: the next cycle was due before this one ended.
    """

    seconds: Mapping[str, float]
    overran: bool


class ControlGiven(NamedTuple):
    """An operator's wish, between two cycles; ``name`` is a ``trainers.names.Control``."""

    name: str
    value: str


class ChampionInstalled(NamedTuple):
    """Another model version forecasts as champion from the next bar on.

    Attributes:
        learner: whose version it is.
        version: its number in the registry; 0 if there is no champion any more.
        model: the program; None if there is no champion.
        challenge: number of the challenger that the learner now is, from 1.
    """

    learner: str
    version: int
    model: Model | None
    challenge: int


Event = (
    BarsTaken
    | ForecastsTimed
    | CycleBegun
    | LearnerTurn
    | CycleEnded
    | ControlGiven
    | ChampionInstalled
)

"""The events that a ``MarketTrainer`` handles: plain records, each a decision of its driver.

They hold everything that the engine cannot work out by itself: which bars were taken and when,
whether their forecasts were in time, when a cycle began, what the clock measured, what an operator
requested. All else follows from them: the same events give the same commands, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.bars import Bars
from trainers.learners.learner import Model

STREAMS = ("ticks", "quotes")

# A number of rows for each stream: {"ticks": n, "quotes": m}.
Watermark = Mapping[str, int]


def known(bars: Bars, seen: Watermark) -> NDArray[np.bool]:
    """Return which of ``bars``, ``(T,)``, are known once so many rows of each stream were seen."""
    found: NDArray[np.bool] = (bars["final_seq"] <= seen["ticks"]) & (
        bars["final_quote"] <= seen["quotes"]
    )
    return found


class BarsTaken(NamedTuple):
    """Bars that have become final.

    Attributes:
        bars: ``(n,)`` of dtype ``BAR``, n > 0; the first follows the last bar taken before.
        ask: whether to forecast the bar after the newest; False if it is already too late.
        each: whether to forecast the bar after each of them, as none came too late: they closed
            one after the other on a virtual clock. No ``ForecastsTimed`` follows.
    """

    bars: Bars
    ask: bool = True
    each: bool = False


class ForecastsTimed(NamedTuple):
    """The driver's answer to ``ForecastsMade``.

    Attributes:
        in_time: True if no later bar was known when the forecasts were made; if False, the
            ledger's rows say MISSED.
        latency_us: microseconds between the newest bar becoming known and its forecasts; one
            number, or ``(n,)`` with one per ledger row.
    """

    in_time: bool
    latency_us: int | NDArray[np.int64] = 0


class CycleBegun(NamedTuple):
    """A training cycle begins; it learns from the bars taken so far.

    Attributes:
        cycle: the cycle's number, from 1.
        watermark: the number of rows of each stream that the cycle may see.
        now: market time, ns: the end of the newest bar.
        oldest: number of the oldest row of each stream that its ring still held.
        oldest_ts: event time of that tick, ns.
        wall_ms: wall-clock time, ms since the Unix epoch; the timestamp of the cycle's metrics.
        stats: the feed's counters, by name.
        digests: hash of the rows since the previous cycle, by stream.
    """

    cycle: int
    watermark: Watermark
    now: int
    oldest: Watermark
    oldest_ts: int
    wall_ms: int
    stats: Mapping[str, float]
    digests: Mapping[str, str]


class LearnerTurn(NamedTuple):
    """One learner learns now; each has one turn per cycle, in the order of ``Roster.turns``."""

    learner: str


class CycleEnded(NamedTuple):
    """All learners of the cycle have had their turn.

    Attributes:
        seconds: the duration of each turn, by learner.
        overran: whether the next cycle was due before this one ended.
    """

    seconds: Mapping[str, float]
    overran: bool


class ControlGiven(NamedTuple):
    """An operator's request, made between two cycles.

    Attributes:
        name: a value of ``trainers.names.Control``; the engine refuses any other.
        value: the control's argument, as the operator typed it.
    """

    name: str
    value: str


class ChampionInstalled(NamedTuple):
    """Another model version forecasts as champion from the next bar on.

    Attributes:
        learner: name of the learner that the version belongs to.
        version: the version's number in the registry; 0 if there is no champion any more.
        model: the version's model; None if there is no champion any more.
        challenge: the number of the challenge that begins, from 1: the k-th challenger of one
            champion is tested at a smaller alpha (``trainers.scoring.promotion.judges``).
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

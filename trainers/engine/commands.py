"""What a ``MarketTrainer`` answers: plain records, for whoever drives it to carry out.

ForecastsMade is a question, answered by the event ``ForecastsTimed``. The others are done and
forgotten: rows go to the ledger, metrics and tags to MLflow, what happened to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.events import Code
from trainers.scoring.ledger import Forecasts, Outcomes
from trainers.scoring.promotion.verdict import Verdict


class ForecastsMade(NamedTuple):
    """All learners have answered about the bar after ``bar``: were they in time?

    Attributes:
        bar: open of the newest bar, ns.
    """

    bar: int


class LedgerRows(NamedTuple):
    """The rows of one bar, final.

    Attributes:
        outcome: ``(1,)`` of dtype ``OUTCOME``.
        forecasts: ``(n,)`` of dtype ``FORECAST``, a row a learner.
    """

    outcome: Outcomes
    forecasts: Forecasts


class RunUpdate(NamedTuple):
    """Metrics and tags for the run of a learner.

    Attributes:
        learner: whose run.
        step: the cycle.
        metrics: by full name.
        tags: by name.
        wall_ms: time of the metrics, Unix epoch; None for tags alone.
    """

    learner: str
    step: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    wall_ms: int | None = None


class Happened(NamedTuple):
    """Something that a person should know.

    Attributes:
        code: what kind of event it is.
        text: the same in words.
        detail: a traceback, if there is one.
    """

    code: Code
    text: str
    detail: str = ""


class CycleDone(NamedTuple):
    """A cycle has ended.

    Attributes:
        cycle: its number.
        now: market time when it began, ns.
        wall_ms: our time when it began, Unix epoch.
        hashes: of all that it computed, by stage.
        stream: the stream's metrics by full name.
        text: what it came to, in one line.
    """

    cycle: int
    now: int
    wall_ms: int
    hashes: Mapping[str, Any]
    stream: Mapping[str, float]
    text: str


class CandidateWanted(NamedTuple):
    """A learner as it is now is to be registered and become champion.

    Attributes:
        learner: its name.
        cycle: the last one that it learned in.
        by: ``evidence`` or ``hand``.
        verdict: what the evidence said then, if anything.
        state: of the learner.
        example: ``(n + 1, 10)`` raw bars, the newest; the version takes n of them.
    """

    learner: str
    cycle: int
    by: str
    verdict: Verdict | None
    state: Mapping[str, Any]
    example: NDArray[np.float64]


class RollbackWanted(NamedTuple):
    """A learner's champion is to go; attributes as in ``CandidateWanted``."""

    learner: str
    cycle: int
    by: str
    verdict: Verdict | None


class Checkpoint(NamedTuple):
    """All that is needed to go on from here, between two cycles: plain data."""

    state: Mapping[str, Any]


Command = (
    ForecastsMade
    | LedgerRows
    | RunUpdate
    | Happened
    | CycleDone
    | CandidateWanted
    | RollbackWanted
    | Checkpoint
)

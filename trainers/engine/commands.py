"""The commands that a ``MarketTrainer`` yields: plain records, which its driver carries out.

``ForecastsMade`` is a question that the driver answers with the event ``ForecastsTimed``. The
others need no answer: rows go to the ledger, metrics and tags to MLflow, events to people.
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
    """All learners have forecast the bar after ``bar``: were they in time?

    Attributes:
        bar: open time of the newest bar, ns.
    """

    bar: int


class LedgerRows(NamedTuple):
    """The final ledger rows of one bar, or of several that were forecast together.

    Attributes:
        outcome: ``(T,)`` of dtype ``OUTCOME``, oldest first.
        forecasts: ``(T * n,)`` of dtype ``FORECAST``, per bar one row per learner.
    """

    outcome: Outcomes
    forecasts: Forecasts


class RunUpdate(NamedTuple):
    """Metrics and tags for the run of a learner.

    Attributes:
        learner: name of the learner.
        step: the cycle, MLflow's step.
        metrics: the values by full metric name.
        tags: the values by tag name.
        wall_ms: the metrics' timestamp, ms since the Unix epoch; None if there are only tags.
    """

    learner: str
    step: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    wall_ms: int | None = None


class Happened(NamedTuple):
    """Something happened that a person should know.

    Attributes:
        code: the kind of event, for alerts and programs.
        text: a description, for people.
        detail: a traceback, if there is one.
    """

    code: Code
    text: str
    detail: str = ""


class CycleDone(NamedTuple):
    """A cycle has ended.

    Attributes:
        cycle: the cycle's number.
        now: market time when it began, ns.
        wall_ms: wall-clock time when it began, ms since the Unix epoch.
        hashes: a hash of every stage's result, by stage; a replay must have the same.
        stream: what the market adds to the session's metrics, by full name: its stream's metrics
            and ``learner_totals``, see ``trainers.scoring.session``.
        standing: what else the session combines over its markets, see there.
        text: a summary in one line.
    """

    cycle: int
    now: int
    wall_ms: int
    hashes: Mapping[str, Any]
    stream: Mapping[str, float]
    standing: Mapping[str, float]
    text: str


class CandidateWanted(NamedTuple):
    """A learner, as it is now, should be registered and become champion.

    Attributes:
        learner: the learner's name.
        cycle: the newest cycle that has begun.
        by: the reason for the promotion, ``evidence`` or ``hand``.
        verdict: the last verdict on the challenger; None if it was not judged yet.
        state: the learner's ``state_dict``.
        example: ``(n + 1, 16)`` float64, the newest raw bars; the exported model takes n of them.
    """

    learner: str
    cycle: int
    by: str
    verdict: Verdict | None
    state: Mapping[str, Any]
    example: NDArray[np.float64]


class RollbackWanted(NamedTuple):
    """A learner's champion should be replaced by the champion before it.

    The attributes are those of ``CandidateWanted``.
    """

    learner: str
    cycle: int
    by: str
    verdict: Verdict | None


class Checkpoint(NamedTuple):
    """The engine's state between two cycles, as plain data: enough to resume from here."""

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

"""The runs of a session in MLflow -> typed pandas frames. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from trainers.names import Tag
from trainers.tracking.reader import Point, RunRecord, SessionReader

RUN = ("symbol", "learner", "kind")  # the columns that say whose a value is


def runs_of(reader: SessionReader, session: str) -> list[RunRecord]:
    """Return the runs of a session: its own, then those of learners, champions and baselines.

    Raises:
        TrackingAwayError: if the MLflow store does not answer.
    """
    own = reader.session_run(session)
    return [own, *reader.learner_runs(session), *reader.baseline_runs(session)]


def metric_frame(run: RunRecord, points: Iterable[Point]) -> pd.DataFrame:
    """Return values of a run's metrics.

    Columns: ``symbol`` and ``learner``, both empty of the session's own run; ``kind`` of the run;
    ``metric``; ``cycle``, in which it was logged; ``time``, when; ``value``.
    """
    found = pd.DataFrame(points, columns=["metric", "cycle", "time", "value"])
    kinds = {"metric": "str", "cycle": "int64", "time": "int64", "value": "float64"}
    found = found.astype(kinds)
    found["time"] = pd.to_datetime(found["time"], unit="ms", utc=True).astype("datetime64[ms, UTC]")
    return _of_run(run, found)


def newest(run: RunRecord) -> pd.DataFrame:
    """Return the newest value of each of a run's metrics that is a number; see ``metric_frame``."""
    of = ((name, run.steps[name], run.times_ms[name]) for name in sorted(run.metrics))
    return metric_frame(run, [Point(*one, run.metrics[one[0]]) for one in of])


def param_frame(run: RunRecord) -> pd.DataFrame:
    """Return a run's params.

    Columns: ``symbol``, ``learner`` and ``kind`` as of its metrics; ``param``; ``value``, a text.
    """
    return _of_run(
        run, pd.DataFrame(sorted(run.params.items()), columns=["param", "value"], dtype="str")
    )


def _of_run(run: RunRecord, frame: pd.DataFrame) -> pd.DataFrame:
    symbol, learner = run.name
    texts = (symbol if learner else "", learner, run.tags.get(Tag.KIND, ""))
    for at, (name, text) in enumerate(zip(RUN, texts, strict=True)):
        frame.insert(at, name, pd.Series(text, index=frame.index, dtype="str"))
    return frame

"""Two runs side by side: params that differ, and a metric of both over cycles.

These queries read MLflow, so they run in the poller's thread.
"""

from __future__ import annotations

from typing import Any

from trainers.tracking.reader import RunRecord, SessionReader
from ui.views.metric_cards import card_of

POINTS = 400
FIRST = ("live/accuracy", "live/edge", "live/win_rate", "live/pnl_bps", "stream/ticks")


def compare(reader: SessionReader, a: str, b: str, metric: str) -> dict[str, Any]:
    """Return how two runs differ.

    Args:
        reader: the reader of the store.
        a: a run id.
        b: another one.
        metric: the metric to show over cycles; if neither run has it, the first that both have.

    Raises:
        TrackingAwayError: if MLflow does not answer, or lacks one of the runs.
    """
    runs = [reader.run(a), reader.run(b)]
    names = metric_names(*runs)
    shown = metric if metric in names else next(iter(names), "")
    return {
        "params": params_that_differ(*runs),
        "same": len(set(runs[0].params.items()) & set(runs[1].params.items())),
        "metrics": names,
        "metric": shown,
        "points": [_points(reader, run, shown) for run in runs],
        "last": [run.metrics.get(shown) for run in runs],
    }


def params_that_differ(a: RunRecord, b: RunRecord) -> list[list[str]]:
    """Return the name and both values of each param that differs."""
    names = sorted({*a.params, *b.params})
    pairs = [[name, a.params.get(name, "not set"), b.params.get(name, "not set")] for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def metric_names(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the metrics that both runs have, headlines first, then those that one has."""
    both = {*a.metrics} & {*b.metrics}
    first = [name for name in FIRST if name in both]
    rest = sorted(both - set(first))
    return [*first, *rest, *sorted(({*a.metrics} | {*b.metrics}) - both)]


def _points(reader: SessionReader, run: RunRecord, metric: str) -> list[list[float]]:
    if metric not in run.metrics:
        return []
    history = reader.history(run.run_id, metric, most=POINTS)
    return [[cycle, value] for cycle, value in sorted(history.items())]


def cycle_card(
    reader: SessionReader, runs: dict[str, RunRecord], cycle: int
) -> list[dict[str, Any]]:
    """Return what each learner logged in one cycle, as labels and texts.

    Args:
        reader: the reader of the store.
        runs: the learners' runs by name.
        cycle: the cycle.
    """
    return [
        {
            "learner": name, "run": run.run_id, "experiment": run.experiment,
            "lines": _lines(reader, name, run, cycle),
        }
        for name, run in runs.items()
    ]  # fmt: skip


def _lines(reader: SessionReader, name: str, run: RunRecord, cycle: int) -> list[list[str]]:
    lines = card_of(name, run.metrics).lines
    keys = {line.key for line in lines} | {f"{line.key}_ci" for line in lines}
    values = {key: reader.at(run.run_id, key, cycle) for key in keys & {*run.metrics}}
    known = {key: value for key, value in values.items() if value is not None}
    return [[line.label, line.text(known)] for line in lines if line.key in known]

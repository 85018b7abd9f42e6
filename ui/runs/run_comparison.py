"""Any number of runs side by side: params that differ, and a metric of each over cycles.

These queries read MLflow, so they run in the poller's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from streaming.program.environment import LOOPBACK
from trainers.tracking.reader import RunRecord, SessionReader
from ui.views.metric_cards import card_of, full_name

MOST_RUNS = 500
POINTS = 400  # of a line,
ALL_POINTS = 8000  # and of all lines together: more would not be seen, and take long to read
PORTS = ("page_port", "mlflow_ui_port")  # no part of what was tried
FIRST = (
    "live/accuracy", "live/edge", "live/pnl_bps", "live/win_rate", "stream/ticks", "train/loss",
    "live/scored",
)  # fmt: skip


def compare(
    reader: SessionReader, run_ids: Sequence[str], metric: str, known: Mapping[str, RunRecord]
) -> dict[str, Any]:
    """Return how runs differ.

    Args:
        reader: the reader of the store.
        run_ids: the runs.
        metric: the metric to show over cycles; if no run has it, the first of ``metric_names``.
        known: runs that need not be read again, as they are in the table of runs.

    Returns:
        ``params``, the names of the params that differ; ``metrics``, the names of all metrics, each
        with what people call it; of each of ``runs`` its ``id``, its ``values`` of the params, its
        ``points`` ``[cycle, value]`` and its ``last`` value.

    Raises:
        TrackingAwayError: if MLflow does not answer, or lacks one of the runs.
    """
    missing = [run_id for run_id in run_ids if run_id not in known]
    read = {run.run_id: run for run in reader.runs(missing)} if missing else {}
    runs = [known.get(run_id) or read[run_id] for run_id in run_ids]
    names = metric_names(runs)
    shown = metric if metric in names else next(iter(names), "")
    differ, same = params_that_differ(runs)
    most = max(2, min(POINTS, ALL_POINTS // max(len(runs), 1)))
    points = reader.histories(
        [run.run_id for run in runs if shown in run.metrics], shown, most=most
    )
    return {
        "params": differ,
        "same": same,
        "metrics": {name: full_name(name) for name in names},
        "metric": shown,
        "runs": [
            {
                "id": run.run_id,
                "values": [run.params.get(name, "not set") for name in differ],
                "points": sorted(points.get(run.run_id, {}).items()),
                "last": _last(points.get(run.run_id, {})),
            }
            for run in runs
        ],
    }


def params_that_differ(runs: Sequence[RunRecord]) -> tuple[list[str], int]:
    """Return the names of the params that differ, and how many are the same in all runs.

    Addresses on this machine are left out: no session has those of another.
    """
    said = [item for run in runs for item in run.params.items()]
    names = sorted({name for name, value in said if name not in PORTS and LOOPBACK not in value})
    differ = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    return differ, len(names) - len(differ)


def metric_names(runs: Sequence[RunRecord]) -> list[str]:
    """Return the runs' metrics: headlines first, then the others; of each, what most runs have."""
    count = Counter(name for run in runs for name in run.metrics)
    first = sorted((name for name in FIRST if count[name]), key=lambda name: -count[name])
    rest = sorted(count.keys() - set(first), key=lambda name: (-count[name], name))
    return [*first, *rest]


def _last(history: Mapping[int, float]) -> float | None:
    return history[max(history)] if history else None


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

"""What is looked for in a fleet's record: rows that are lost, doubled, or not the same bits."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, of_market
from trainers.recording.ledger import ledger_files, read_ledger
from trainers.replay.runs import recorded_metrics
from trainers.scoring.ledger import MADE, Forecasts
from trainers.tracking.runs.search import runs_of, search
from trainers.tracking.travel.objects import Objects
from trainers.tracking.travel.travelled import travelled

TIMED = re.compile(r"(train/seconds|stream/|live/latency|system/)")  # by a clock, not by the market
MOST_TOLD = 4  # metrics of a run and step
SAME = ("status", "gap", "action", "signal", "version", "inputs", "probability")


class Stored(NamedTuple):
    """How many bytes of a file the store had at one moment, and what they hash to."""

    market: str
    file: str
    size: int
    digest: str


def stored_now(objects: Objects, folder: Path, markets: Sequence[str]) -> list[Stored]:
    """Return what the store has of each market's log and ledger.

    Args:
        objects: the objects of the session's run.
        folder: the session's folder, for the names of the files.
        markets: the markets.
    """
    found = []
    for market in markets:
        there = travelled(objects, market)
        for path in files_of(folder, market):
            data = there.read(objects, path.name)
            found.append(Stored(market, path.name, len(data), _digest(data)))
    return found


def files_of(folder: Path, market: str) -> list[Path]:
    """Return the files of a market in which each decision and forecast has its place."""
    return [of_market(folder, market, DECISIONS), *ledger_files(folder, market)]


def lost(before: Sequence[Stored], folder: Path) -> list[str]:
    """Return what the store had and the record at the end has not, byte for byte."""
    faults = []
    for was in before:
        data = (folder / was.file).read_bytes()[: was.size]
        if len(data) < was.size or _digest(data) != was.digest:
            faults.append(f"{was.file}: its first {was.size} bytes were other ones in the store")
    return faults


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Compared(NamedTuple):
    """The forecasts that one session has made in time, beside those of another.

    Attributes:
        same: made in both, and the same bits.
        different: made in both, and not the same bits.
        alone: made in the first only.
    """

    same: int
    different: int
    alone: int


def compared(one: Path, other: Path, markets: Sequence[str]) -> Compared:
    """Compare the ledgers of two sessions of the same markets."""
    counts = dict.fromkeys(Compared._fields, 0)
    for market in markets:
        ours, theirs = _made(one, market), _made(other, market)
        for key, a in ours.items():
            b = theirs.get(key)
            if b is None:
                counts["alone"] += 1
            else:
                same = all(a[name].tobytes() == b[name].tobytes() for name in SAME)
                counts["same" if same else "different"] += 1
    return Compared(**counts)


def _made(folder: Path, market: str) -> Mapping[tuple[int, str], Forecasts]:
    """Return the forecasts that were made in time, by bar and learner."""
    names, _, forecasts = read_ledger(folder, market)
    made = forecasts[forecasts["status"] == MADE]
    return {(int(row["bar"]), names[row["learner"]]): row for row in made}


def doubled(client: MlflowClient, session: str) -> list[str]:
    """Return the points of metrics that are not the only ones of their step, a line a run and step.

    Each is told with its value and the time of its cycle, UTC.
    """
    points: dict[tuple[str, int], list[str]] = {}
    for run in runs_of(client, session):
        for key in run.data.metrics:
            by_step: dict[int, list[Metric]] = {}
            for point in client.get_metric_history(run.info.run_id, key):
                by_step.setdefault(point.step, []).append(point)
            for step, found in by_step.items():
                if len(found) > 1:
                    told = " and ".join(f"{each.value!r} of {_clock(each)}" for each in found)
                    points.setdefault((run.info.run_name, step), []).append(f"{key} {told}")
    return [
        f"{name}, step {step}: {len(keys)} metrics twice, as {'; '.join(keys[:MOST_TOLD])}"
        for (name, step), keys in points.items()
    ]


def _clock(point: Metric) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(point.timestamp / 1000))


def metrics_of(client: MlflowClient, session: str) -> dict[tuple[str, int, str], float]:
    """Return the points of a session's runs by run, step and name; without those of a clock."""
    runs = search(client, f"tags.session = '{session}' and tags.kind != 'session'")
    names = {f"{r.data.tags['symbol']} {r.data.tags['learner']}": r.info.run_id for r in runs}
    return {
        (name, step, key): value
        for name, steps in recorded_metrics(client, names).items()
        for step, values in steps.items()
        for key, value in values.items()
        if not TIMED.match(key)
    }


def cycles_within(folder: Path, markets: Sequence[str], since: int, until: int) -> int:
    """Return how many cycles of all markets began between two times of the market, in ns."""
    return sum(
        entry["do"] == "cycle" and since <= entry["now"] < until
        for market in markets
        for entry in read_decisions(of_market(folder, market, DECISIONS))
    )


def refused(objects: Objects, markets: Sequence[str]) -> int:
    """Return how many bytes in the store are of older epochs and in nobody's record."""
    total = 0
    for market in markets:
        there = travelled(objects, market)
        for file, by_epoch in there.parts.items():
            for epoch, spans in by_epoch.items():
                later = [base.sizes.get(file, 0) for n, base in there.bases.items() if n > epoch]
                taken = min(later, default=spans[-1].stop)
                total += sum(max(0, span.stop - max(span.start, taken)) for span in spans)
    return total

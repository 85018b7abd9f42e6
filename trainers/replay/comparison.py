"""Compares a replay with what was recorded, stage by stage and metric by metric. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.engine.drivers.streams import comparable
from trainers.engine.events import STREAMS

# Metrics measured by a clock or counted by the feed. A replay reads them back from the log, so that
# they are the same proves nothing, and they are not counted.
ECHOED = ("train/seconds", "stream/")

# Values of metrics by run, step and name.
Recorded = Mapping[str, Mapping[int, Mapping[str, float]]]


class ReplayDiffersError(Exception):
    """A replay differs from the record: the text has the cycle, the stage and both values."""


def compare_stages(market: str, cycle: int, recorded: Mapping[str, Any], now: Any) -> None:
    """Compare the hashes of a cycle's stages, in the order in which data flow.

    Args:
        market: the market's symbol.
        cycle: the cycle.
        recorded: the recorded hashes, by stage.
        now: the replay's hashes, by stage.

    Raises:
        ReplayDiffersError: at the first stage that differs.
    """
    for stage, then in comparable(recorded, now).items():
        if stage in (*STREAMS, "bars"):
            _same(market, cycle, stage, then, now[stage])
    for name in sorted({*recorded["learners"], *now["learners"]}):
        then, found = (each["learners"].get(name, {}) for each in (recorded, now))
        for stage in ("features", "batches", "weights"):
            _same(market, cycle, f"{stage} of {name}", then.get(stage), found.get(stage))
    _same(market, cycle, "forecasts", recorded["forecasts"], now["forecasts"])


def _same(market: str, cycle: int, stage: str, recorded: Any, now: Any) -> None:
    if recorded != now:
        raise ReplayDiffersError(
            f"differs: {market} cycle {cycle}, {stage}: recorded {recorded}, replayed {now}"
        )


class MetricsCheck:
    """Compares the metrics of a replay with those that MLflow has of the session.

    Args:
        recorded: the session's metrics; None for a what-if, which is not compared.

    Attributes:
        compared: the number of values that were computed and are the same.
        newest: the replay's newest metrics, by run and name.
    """

    def __init__(self, recorded: Recorded | None) -> None:
        self._recorded = recorded
        self._steps: set[tuple[str, int]] = set()
        self.compared = 0
        self.newest: dict[str, dict[str, float]] = {}

    def take(self, run: str, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of one run at one step, and compare them.

        Raises:
            ReplayDiffersError: if a metric is missing, is new, or has another value.
        """
        if metrics and self._recorded is not None:
            self._compare(run, step, metrics, self._recorded.get(run, {}).get(step, {}))
        self._steps.add((run, step))
        self.newest.setdefault(run, {}).update(metrics)

    def has_all(self, run: str, step: int) -> None:
        """Check, once a step is replayed, that the replay had metrics if the session had some.

        Raises:
            ReplayDiffersError: if the session's metrics of this run and step are all missing.
        """
        if self._recorded is not None and (run, step) not in self._steps:
            self._compare(run, step, {}, self._recorded.get(run, {}).get(step, {}))

    def _compare(
        self, run: str, step: int, now: Mapping[str, float], recorded: Mapping[str, float]
    ) -> None:
        for name in sorted({*now, *recorded}):
            ours, theirs = now.get(name), recorded.get(name)
            if ours != theirs and not (ours != ours and theirs != theirs):  # both NaN
                then, found = ("none" if value is None else repr(value) for value in (theirs, ours))
                raise ReplayDiffersError(
                    f"differs: cycle {step}, metric {name} of {run}: recorded {then}, replayed"
                    f" {found}"
                )
            self.compared += not name.startswith(ECHOED)

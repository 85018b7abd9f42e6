"""What a replay came to beside what was recorded: stage by stage, metric by metric. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Measured by a clock or counted by the feed: read back from the log, which proves nothing.
ECHOED = ("train/seconds", "stream/")

Recorded = Mapping[str, Mapping[int, Mapping[str, float]]]  # by run, step, name


class ReplayDiffersError(Exception):
    """A replay came to something else: the cycle, the stage, and both values."""


def compare_stages(market: str, cycle: int, recorded: Mapping[str, Any], now: Any) -> None:
    """Compare the hashes of a cycle, in the order in which data flow.

    Raises:
        ReplayDiffersError: at the first stage that differs.
    """
    for stage in ("ticks", "bars"):
        _same(market, cycle, stage, recorded[stage], now[stage])
    for name, stages in recorded["learners"].items():
        for stage in ("features", "batches", "weights"):
            found = now["learners"].get(name, {}).get(stage)
            _same(market, cycle, f"{stage} of {name}", stages.get(stage), found)
    _same(market, cycle, "forecasts", recorded["forecasts"], now["forecasts"])


def _same(market: str, cycle: int, stage: str, recorded: Any, now: Any) -> None:
    if recorded != now:
        raise ReplayDiffersError(
            f"differs: {market} cycle {cycle}, {stage}: recorded {recorded}, replayed {now}"
        )


class MetricsCheck:
    """Compares the metrics of a replay with what MLflow has of the session.

    Args:
        recorded: metrics by run, step and name; None for a what-if, which is not compared.

    Attributes:
        compared: values that were computed and are the same.
        newest: of each run, its newest metrics by name.
    """

    def __init__(self, recorded: Recorded | None) -> None:
        self._recorded = recorded
        self.compared = 0
        self.newest: dict[str, dict[str, float]] = {}

    def take(self, run: str, step: int, metrics: Mapping[str, float]) -> None:
        """Compare the metrics of one run at one step.

        Raises:
            ReplayDiffersError: if a metric of the cycle is missing, new, or has another value.
        """
        if metrics and self._recorded is not None:
            self._compare(run, step, metrics, self._recorded.get(run, {}).get(step, {}))
        self.newest.setdefault(run, {}).update(metrics)

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

"""What a replay came to beside what was recorded: stage by stage, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.engine.learner_runner import Log

# Measured by a clock or counted by the feed: read back from the journal, which proves nothing.
ECHOED = ("train/seconds", "stream/")

Recorded = Mapping[str, Mapping[int, Mapping[str, float]]]  # by run, step, name


class ReplayDiffersError(Exception):
    """A replay came to something else: the cycle, the stage, and both values."""


def compare_stages(symbol: str, cycle: int, recorded: Mapping[str, Any], now: Any) -> None:
    """Compare the hashes of a cycle, in the order in which data flow.

    Raises:
        ReplayDiffersError: at the first stage that differs.
    """
    for stage in ("ticks", "bars"):
        _same(symbol, cycle, stage, recorded[stage], now[stage])
    for name, stages in recorded["learners"].items():
        for stage in ("features", "batches", "weights"):
            found = now["learners"].get(name, {}).get(stage)
            _same(symbol, cycle, f"{stage} of {name}", stages.get(stage), found)
    _same(symbol, cycle, "forecasts", recorded["forecasts"], now["forecasts"])


def _same(symbol: str, cycle: int, stage: str, recorded: Any, now: Any) -> None:
    if recorded != now:
        raise ReplayDiffersError(
            f"differs: {symbol} cycle {cycle}, {stage}: recorded {recorded}, replayed {now}"
        )


class MetricsCheck:
    """Takes what a replay logs, and compares it with what MLflow has of the session.

    Args:
        recorded: metrics by run, step and name.
        forward: where they go besides.

    Attributes:
        compared: values that were computed and are the same.
        newest: of each run, its newest metrics by name.
    """

    def __init__(self, recorded: Recorded | None, forward: Log | None = None) -> None:
        self._recorded, self._forward = recorded, forward
        self.compared = 0
        self.newest: dict[str, dict[str, float]] = {}

    def log(
        self,
        run_id: str,
        step: int,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        wall_ms: int | None = None,
    ) -> None:
        """Compare, then pass on; ``run_id`` is the run's name in the session.

        Raises:
            ReplayDiffersError: if a metric of the cycle is missing, new, or has another value.
        """
        if metrics and self._recorded is not None:
            self._compare(run_id, step, metrics, self._recorded.get(run_id, {}).get(step, {}))
        self.newest.setdefault(run_id, {}).update(metrics or {})
        if self._forward is not None:
            self._forward.log(run_id, step, metrics, tags, wall_ms)

    def event(self, text: str, ts: float | None = None) -> None:
        """Pass on."""
        if self._forward is not None:
            self._forward.event(text, ts)

    def _compare(
        self, run: str, step: int, now: Mapping[str, float], recorded: Mapping[str, float]
    ) -> None:
        for name in sorted({*now, *recorded}):
            ours, theirs = now.get(name), recorded.get(name)
            if ours != theirs and not (ours != ours and theirs != theirs):  # both NaN
                said, found = ("none" if value is None else repr(value) for value in (theirs, ours))
                raise ReplayDiffersError(
                    f"differs: cycle {step}, metric {name} of {run}: recorded {said}, replayed"
                    f" {found}"
                )
            self.compared += not name.startswith(ECHOED)

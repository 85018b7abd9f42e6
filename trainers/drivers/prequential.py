"""Test-then-train over bars that are all there already: for benchmarks and tests.

The same order of things as in a session (``trainers.engine``), without rings, clock and MLflow.
Source: J. Gama, R. Sebastião and P. Rodrigues, On evaluating stream learning algorithms (2013).
"""

from __future__ import annotations

from datamodules.snapshot import NotEnoughBarsError, Snapshot
from streaming.bars import Bars
from trainers.config import SessionConfig
from trainers.learners.learner import Forecast, Learner, as_forecast


def prequential(
    learner: Learner, bars: Bars, config: SessionConfig, *, start: int = 200
) -> list[Forecast | None]:
    """Forecast each bar with what was learned before it, and learn every cycle.

    Args:
        learner: is changed.
        bars: ``(T,)`` of dtype ``BAR``.
        config: of it: ``cycle_seconds``, ``history_bars`` and ``seed``.
        start: bars known at the first cycle.

    Returns:
        ``T`` forecasts; ``[i]`` was made when bar ``i`` closed, about the bar after it.
    """
    found: list[Forecast | None] = [None] * len(bars)
    step = round(config.cycle_seconds)
    for i in range(start - 1, len(bars)):
        known = bars[max(0, i + 1 - config.history_bars) : i + 1]
        if (done := i + 1 - start) % step == 0:
            # A session's cycle ends after the bar at its cut was forecast; here it does before,
            # by which nothing becomes known earlier.
            _learn(learner, Snapshot("", done // step + 1, i + 1, known, config.seed))
        found[i] = as_forecast(learner.forecast(known))
    return found


def _learn(learner: Learner, snapshot: Snapshot) -> None:
    try:
        learner.learn(snapshot)
    except NotEnoughBarsError:
        return

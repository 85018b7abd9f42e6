"""A learner's newest figures in a few words, for the console and the session's events."""

from __future__ import annotations

from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.names import Status


def summary(runner: LearnerRunner) -> str:
    """Return a learner's loss and scores, or its status."""
    name, live = runner.name, runner.live
    if runner.status == Status.ERROR or not runner.report:
        return f"{name}: {runner.status_text}"
    parts = [f"loss {runner.report['loss']:.4f}"] if "loss" in runner.report else []
    if "live/accuracy" in live:
        parts.append(f"live accuracy {live['live/accuracy']:.1%} of {live['live/scored']:.0f}")
    elif not runner.is_agent:
        parts.append("nothing scored yet")
    if "live/edge_ci" in live:
        parts.append(f"edge {live['live/edge']:+.3f} ± {live['live/edge_ci']:.3f} nats")
    if "live/win_rate" in live:
        parts.append(f"win rate {live['live/win_rate']:.0%} of {live['live/trades']:.0f}")
    elif runner.is_agent:
        parts.append("no trades yet")
    return f"{name}: {', '.join(parts)}"

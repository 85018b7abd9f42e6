"""The numbers that an operator can set: what they are now, and in which range. Pure."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from trainers.config import SessionConfig
from trainers.engine.controls import BOUNDS
from trainers.names import CONTROL_RESULT, TRAIN, Control
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.formatting import plain

VALUES = (Control.LEARNING_RATE, Control.EPSILON, Control.CONFIDENCE)


class Current(NamedTuple):
    """A number that an operator can set.

    Attributes:
        value: as it is now, if it is the same for all whose it is; else empty.
        note: whose it is, what it is for each if that differs, and its range.
        low: the lowest that is allowed.
        high: the highest.
    """

    value: str
    note: str
    low: float
    high: float


def current_values(
    config: SessionConfig, metrics: SessionMetrics, confidence: float
) -> dict[str, list[Any]]:
    """Return each control's number, as the fields of a ``Current``.

    Args:
        config: the session's settings.
        metrics: what MLflow holds.
        confidence: the probability from which a forecast is a signal now.
    """
    found = {name: _current(name, _of_learners(name, config, metrics)) for name in VALUES[:2]}
    low, high = BOUNDS[Control.CONFIDENCE]
    found[Control.CONFIDENCE] = Current(f"{confidence:g}", f"{low:g} to {high:g}", low, high)
    return {str(name): list(current) for name, current in found.items()}


def _current(name: Control, each: dict[str, float]) -> Current:
    low, high = BOUNDS[name]
    allowed = f"{low:g} to {high:g}"
    if not each:
        return Current("", f"no learner has it yet; {allowed}", low, high)
    same = len(set(each.values())) == 1
    whose = ", ".join(who if same else f"{who} {plain(value)}" for who, value in each.items())
    shown = f"{next(iter(each.values())):g}" if same else ""
    return Current(shown, f"{whose}; {allowed}", low, high)


def _of_learners(name: Control, config: SessionConfig, metrics: SessionMetrics) -> dict[str, float]:
    """Return the number of each learner that has one: as set, else as last trained with."""
    found = {
        learner: float(settings[name])
        for learner, settings in config.learner.items()
        if learner in config.learner_names and name in settings
    }
    applied = _applied(name, metrics)
    for runs in metrics.learners.values():
        for learner, run in runs.items():
            value, step = run.metrics.get(TRAIN + name), run.steps.get(TRAIN + name, 0)
            if value is not None and not (applied and applied[1] >= step):
                found[learner] = float(f"{value:.4g}")
            elif applied and (value is not None or learner in found):
                found[learner] = applied[0]
    return found


def _applied(name: Control, metrics: SessionMetrics) -> tuple[float, int] | None:
    """Return the number that was applied last, and the cycle; None if the last one was not."""
    tags = metrics.session.tags if metrics.session else {}
    try:
        result = json.loads(tags.get(CONTROL_RESULT + name, ""))
        return (
            (float(result["value"]), int(result.get("cycle", 0)))
            if result["result"] == "applied"
            else None
        )
    except (ValueError, TypeError, KeyError):
        return None

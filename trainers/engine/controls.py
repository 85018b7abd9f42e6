"""What can be asked of a running session, as tags ``control/<name>`` of its run."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

from trainers.engine.market_trainer import Lane

LOWEST_RATE = 1e-7  # a learner that does not learn is paused, not slow


class RefusedError(ValueError):
    """A control has an unknown name or a value out of range; nothing was changed."""


def apply_control(name: str, value: str, lanes: list[Lane], stop: Callable[[], None]) -> str:
    """Do what was asked of every symbol's learning; return what was done, in words.

    Raises:
        RefusedError: with the reason, if it was refused.
    """
    if name == "stop":
        stop()
        return "stopping"
    if name in ("pause", "resume", "start"):  # a session that ended was started with this tag
        for lane in lanes:
            lane.paused = name == "pause"
        return "training paused" if name == "pause" else "training goes on"
    if name == "train_now":
        for lane in lanes:
            lane.wanted = True
        return "a training cycle was asked for"
    if name in ("learning_rate", "epsilon"):
        number = _number(name, value, LOWEST_RATE if name == "learning_rate" else 0.0, 1.0)
        learners = [seat.learner for lane in lanes for seat in lane.learners]
        changed = [learner.name for learner in learners if hasattr(learner, name)]
        for learner in learners:
            if hasattr(learner, name):
                setattr(learner, name, number)
        return f"{name} of {', '.join(changed) or 'no learner'} is now {number:g}"
    if name == "confidence":
        number = _number(name, value, 0.5, 1.0)
        for seat in (seat for lane in lanes for seat in lane.seats):
            seat.confidence = number
            if hasattr(seat.learner, "confidence"):  # the signal of its model version
                seat.learner.confidence = number
        return f"confidence is now {number:g}"
    allowed = "start, pause, resume, train_now, stop, learning_rate, epsilon, confidence"
    raise RefusedError(f"control/{name}: unknown; allowed: {allowed}")


def control_result(value: str, cycle: int, result: str, text: str) -> str:
    """Return what became of a control, as the value of the tag ``control_result/<name>``."""
    found = {"value": value, "cycle": cycle, "result": result, "text": text, "ts": time.time()}
    return json.dumps(found)


def _number(name: str, value: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise RefusedError(f"control/{name}: got {value!r}; allowed: {low:g} to {high:g}")
    return number

"""The state of each control, as text. Pure.

A control is a tag ``control/<name>`` on the session's run until the trainer takes it, and
``control_result/<name>`` afterwards. So every viewer sees the same.
"""

from __future__ import annotations

import json
from typing import Any

from trainers.names import CONTROL, CONTROL_RESULT, Control, Status, Tag
from trainers.tracking.reader import RunRecord
from ui.mlflow.session_metrics import RUNNING
from ui.views.view_model import Texts, ViewModel

ENDED = "this session has ended; Start has it go on"

# In the order of the panel; those with True take a value.
CONTROLS: dict[Control, bool] = {
    Control.START: False,
    Control.PAUSE: False,
    Control.RESUME: False,
    Control.TRAIN_NOW: False,
    Control.STOP: False,
    Control.LEARNING_RATE: True,
    Control.EPSILON: True,
    Control.CONFIDENCE: True,
    Control.PROMOTE: True,
    Control.ROLLBACK: True,
}


def controls(session: RunRecord | None, failed: str = "") -> ViewModel:
    """Return the state of every control.

    Args:
        session: the session's run.
        failed: why the session could not be resumed; empty if it was, or if nobody asked.
    """
    tags = session.tags if session else {}
    running = session is not None and session.state == RUNNING
    texts: Texts = {f"control.{name}": _state(name, tags) for name in CONTROLS}
    ended = f"it could not be started: {failed}" if failed else ENDED
    texts["control.note"] = "" if running or session is None else ended
    return ViewModel(
        texts,
        {
            "running": running,
            "paused": tags.get(Tag.STATUS) == Status.PAUSED,
        },
    )


def confidence(session: RunRecord | None, configured: float) -> float:
    """Return the probability from which a forecast is a signal, as last applied or configured."""
    result = _result(session.tags.get(CONTROL_RESULT + Control.CONFIDENCE, "")) if session else {}
    try:
        return float(result["value"]) if result.get("result") == "applied" else configured
    except (KeyError, TypeError, ValueError):
        return configured


def _state(name: Control, tags: dict[str, str]) -> str:
    if (value := tags.get(CONTROL + name)) is not None:
        return f"requested{_shown(name, value)}"
    if (text := tags.get(CONTROL_RESULT + name)) is None:
        return ""
    result = _result(text)
    reason = str(result.get("text", ""))
    if result.get("result") == "refused":
        return f"refused: {reason or 'no reason was given'}"
    if result.get("result") != "applied":
        return "the trainer's answer cannot be read"
    cycle = f" in cycle {result['cycle']}" if "cycle" in result else ""
    return f"applied{_shown(name, result.get('value', ''))}{cycle}"


def _shown(name: Control, value: Any) -> str:
    return f" {value}" if CONTROLS[name] and value != "" else ""


def _result(text: str) -> dict[str, Any]:
    try:
        result = json.loads(text)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}

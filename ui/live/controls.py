"""What was asked of the trainer and what became of it, in words. Pure.

A control is a tag ``control/<name>`` on the session's run while the trainer has not taken it, and
``control_result/<name>`` afterwards: whoever looks, and whoever asked, sees the same.
"""

from __future__ import annotations

import json
from typing import Any

from trainers.tracking.reader import RunRecord
from ui.picture import Picture, Texts

ASKED, ANSWERED = "control/", "control_result/"

ENDED = "this session has ended; Start has it go on"
START = "start"

# In the order of the panel; those with True take a value.
CONTROLS = {
    START: False,
    "pause": False,
    "resume": False,
    "train_now": False,
    "stop": False,
    "learning_rate": True,
    "epsilon": True,
    "confidence": True,
    "promote": True,
    "rollback": True,
}


def controls(session: RunRecord | None, failed: str = "") -> Picture:
    """Return the state of every control.

    Args:
        session: its run.
        failed: why it could not be started again, if it was tried.
    """
    tags = session.tags if session else {}
    running = session is not None and session.state == "RUNNING"
    texts: Texts = {f"control.{name}": _state(name, tags) for name in CONTROLS}
    ended = f"it could not be started: {failed}" if failed else ENDED
    texts["control.note"] = "" if running or session is None else ended
    return Picture(
        texts,
        {
            "running": running,
            "paused": tags.get("status") == "PAUSED",
        },
    )


def confidence(session: RunRecord | None, configured: float) -> float:
    """Return the probability from which a forecast is a signal: as last applied, or configured."""
    answer = _answer(session.tags.get(ANSWERED + "confidence", "")) if session else {}
    try:
        return float(answer["value"]) if answer.get("result") == "applied" else configured
    except (KeyError, TypeError, ValueError):
        return configured


def _state(name: str, tags: dict[str, str]) -> str:
    if (value := tags.get(ASKED + name)) is not None:
        return f"requested{_of(name, value)}"
    if (text := tags.get(ANSWERED + name)) is None:
        return ""
    answer = _answer(text)
    words = str(answer.get("text", ""))
    if answer.get("result") == "refused":
        return f"refused: {words or 'no reason was given'}"
    if answer.get("result") != "applied":
        return "the trainer's answer cannot be read"
    cycle = f" in cycle {answer['cycle']}" if "cycle" in answer else ""
    return f"applied{_of(name, answer.get('value', ''))}{cycle}"


def _of(name: str, value: Any) -> str:
    return f" {value}" if CONTROLS[name] and value != "" else ""


def _answer(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

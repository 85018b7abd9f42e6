"""The state of a learner that a checkpoint keeps, and why it cannot be kept."""

from __future__ import annotations

from typing import Any, NamedTuple

from datamodules.plain import not_plain
from trainers.learners.learner import Learner, Resumable, Traced

PLAIN = "allowed: numbers, text, arrays and tensors, in dicts and lists"


class KeptState(NamedTuple):
    """A learner's state.

    Attributes:
        state: its ``state_dict``; None if it has none.
        digests: hashes, by stage, of the last training's inputs.
        fault: why ``state`` cannot be kept; empty if it can.
    """

    state: dict[str, Any] | None
    digests: dict[str, str]
    fault: str


def state_of(learner: Learner) -> KeptState:
    """Return a learner's state; whatever its own code raises passes through."""
    state = learner.state_dict() if isinstance(learner, Resumable) else None
    traced = learner.digests if isinstance(learner, Traced) else {}
    digests = {str(stage): str(found) for stage, found in traced.items()}
    return KeptState(state, digests, "" if state is None else _fault_of(state))


def _fault_of(state: Any) -> str:
    """Return why a ``state_dict`` cannot be kept; an empty text if it can."""
    if not isinstance(state, dict):
        return f"it is a {type(state).__name__}; {PLAIN}"
    return f"{found}; {PLAIN}" if (found := not_plain(state)) else ""

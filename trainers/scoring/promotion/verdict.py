"""The verdict on a challenger or a champion, with the numbers that it rests on. Pure."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

VerdictWord = Literal["promote", "keep", "wait", "rollback"]


class Verdict(NamedTuple):
    """A decision and its reason; all numbers are finite, so that JSON can hold them.

    It rests on one comparison. For ``promote`` and ``wait`` that is the needed comparison with the
    least evidence that ours is better; for ``keep`` and ``rollback`` the one with the most evidence
    that the other is better.

    Attributes:
        decision: on a challenger ``promote``, ``keep`` (the champion) or ``wait``; on a champion
            ``keep`` or ``rollback``.
        reason: the reason in words, with the numbers.
        log_e: the logarithm of the evidence of that comparison.
        log_threshold: the value that ``log_e`` has to reach.
        bars: the number of bars at which both sides of the comparison were scored.
        against: name of the other side; None if there was nothing to compare with.
        bars_left: the estimated number of bars until ``log_e`` reaches the threshold; None if it
            is not growing or there is no estimate.
    """

    decision: VerdictWord
    reason: str
    log_e: float
    log_threshold: float
    bars: int
    against: str | None
    bars_left: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, fit for JSON."""
        return self._asdict()

    def as_json(self) -> str:
        """Return the fields by name as JSON."""
        return json.dumps(self._asdict())

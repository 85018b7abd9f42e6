"""What a judge of champion and challenger says, with the numbers it rests on. Pure."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

Decision = Literal["promote", "keep", "wait", "rollback"]


class Verdict(NamedTuple):
    """A decision and its reasons; every number is finite, so that it can be kept as JSON.

    Attributes:
        decision: of a challenger ``promote``, ``keep`` (what serves now) or ``wait``; of a champion
            ``keep`` or ``rollback``.
        reason: the same in words.
        log_e: logarithm of the evidence that decides. While something is still to be proven: the
            least evidence among that. Once all is proven: the least of all. Of a ``keep``: the
            evidence that the other is better.
        log_threshold: what ``log_e`` has to reach.
        bars: that both sides of that comparison were scored at.
        against: name of its other side; None if there is none.
        bars_left: how many more it may take at the pace so far; None if it does not get there.
    """

    decision: Decision
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

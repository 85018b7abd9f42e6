"""The session's own metrics: its markets' streams taken together, once a cycle.

A market's newest cycle is read from its log, whichever trainer has it. Which cycles were taken is
written down, so that a replay takes the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trainers.engine.stream_metrics import of_session
from trainers.recording.decision_log import last_end
from trainers.recording.files import DECISIONS, SUMS, of_market


class Sums:
    """Adds the markets of a session up.

    Args:
        session: the session's folder.
        markets: all of its markets.
    """

    def __init__(self, session: Path, markets: Sequence[str]) -> None:
        self._session, self._markets = session, markets

    def at(self, cycle: int) -> dict[str, float]:
        """Return the session's metrics at a cycle of its first market."""
        found = {
            market: end
            for market in self._markets
            if (end := last_end(of_market(self._session, market, DECISIONS)))
        }
        taken = {market: end["cycle"] for market, end in found.items()}
        with (self._session / SUMS).open("ab") as file:
            file.write(json.dumps({"cycle": cycle, "of": taken}).encode() + b"\n")
        return of_session(end["stream"] for end in found.values())

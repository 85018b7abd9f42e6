"""What a trainer says while markets gather ticks for their first cycle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from streaming.events import hindrance

PROGRESS_SECONDS = 2.0
MOST_SHOWN = 5  # markets in a line of progress


class WarmUp:
    """The progress of the markets that have had no cycle yet.

    Args:
        session: the session's folder.
        min_ticks: the number of ticks that a first cycle needs.
    """

    def __init__(self, session: Path, min_ticks: int) -> None:
        self._session, self._need = session, min_ticks
        self._told, self._found = 0.0, [("", 0)]  # when progress was shown, and what

    def is_due(self) -> bool:
        """Return whether progress was not shown in the last ``PROGRESS_SECONDS``."""
        if time.monotonic() - self._told < PROGRESS_SECONDS:
            return False
        self._told = time.monotonic()
        return True

    def line(self, found: Sequence[tuple[str, int]]) -> str:
        """Return the console's line, with the reason if nothing has come since the last one.

        Args:
            found: the symbol of each market that waits, and its number of ticks so far.
        """
        need, found = self._need, list(found)
        shown = sorted(found, key=lambda one: one[1])[:MOST_SHOWN]
        words = ", ".join(f"{symbol} {min(ticks, need)}/{need}" for symbol, ticks in shown)
        if len(found) > MOST_SHOWN:
            words += f" and {len(found) - MOST_SHOWN} more markets"
        nothing_came, self._found = found == self._found, found
        why = f" ({reason})" if nothing_came and (reason := hindrance(self._session)) else ""
        return f"gathering ticks for the first cycle: {words}{why}"

    def status(self, found: Sequence[tuple[str, int]]) -> str:
        """Return the session's status: the ticks of the market that has the fewest."""
        least = min(ticks for _, ticks in found)
        return f"warming up {min(least, self._need)}/{self._need} ticks"

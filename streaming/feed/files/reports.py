"""What a feed tells people: each event in its ring, the first of each kind on the console too."""

from __future__ import annotations

import time
from pathlib import Path

from streaming.events import Code, EventWriter
from streaming.feed.market.ingest import Ingest
from streaming.program import console
from streaming.rings.counters import REJECTED

# What is as it should be is for the page only.
NOT_PRINTED = (Code.CONNECTED, Code.CHANGED, Code.HISTORY, Code.REPAIRED, Code.TAPE_ENDED)

# Counters whose totals are printed at the end, if there are any, and how.
TOTALS = {
    "gaps": "gaps",
    "missing": "trades missing in them",
    "repaired": "missed trades fetched",
    "duplicates": "duplicates",
    "late": "late trades",
    "reconnects": "reconnects",
    **{f"rejected_{reason}": f"dropped as {reason}" for reason in REJECTED},
}


class FeedReports:
    """The one place where a feed speaks.

    Args:
        session: the session's folder.
    """

    def __init__(self, session: Path) -> None:
        self._events = EventWriter(session, "feed")
        self._said: set[tuple[Code, str]] = set()

    def say(self, code: Code, text: str, about: str = "") -> None:
        """Report what happens now; print it if it is the first of its kind.

        Args:
            code: the kind.
            text: one line.
            about: tells kinds apart that have one code: a symbol, a reason.
        """
        self._events.say(code, text, time.time_ns())
        if code not in NOT_PRINTED and (code, about) not in self._said:
            console.say(f"feed: {text}")
        self._said.add((code, about))

    def say_once(self, code: Code, text: str, about: str = "") -> None:
        """Report what happens again and again, the first time only."""
        if (code, about) not in self._said:
            self.say(code, text, about)

    def print_totals(self, ingest: Ingest) -> None:
        """Print what was counted of a symbol since the session began, if it is worth a line."""
        found = [
            f"{int(ingest.stats[name]):,} {words}"
            for name, words in TOTALS.items()
            if ingest.stats[name]
        ]
        if found:
            kept = f"{ingest.ticks.committed:,} trades kept"
            console.say(f"feed: {ingest.symbol}, {kept}: {', '.join(found)}")

    def close(self) -> None:
        """Let go of the file."""
        self._events.close()

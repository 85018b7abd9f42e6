"""The newest events of all processes of a session, as the tag ``events`` of its run.

WRITER.events -> EventTag -> {"ts": seconds, "code": ..., "text": ...}, the newest 20
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streaming.events import Code, event_ring
from streaming.rings.ring import Ring
from trainers.names import MOST_TAG_CHARS

EVENTS_SHOWN = 20
CYCLES_SHOWN = 5  # of these: there are so many that they would push all else out
TAG_CHARS = MOST_TAG_CHARS - 500

Shown = dict[str, Any]


class EventTag:
    """Gathers the newest events of all processes of a session.

    Args:
        session: the session's folder.
    """

    def __init__(self, session: Path) -> None:
        self._session = session
        self._rings: dict[str, Ring] = {}
        self._seen: dict[str, int] = {}
        self._newest: list[Shown] = []

    def new(self) -> str | None:
        """Return the tag's value; None if there is no new event since the last call."""
        found = []
        for path in sorted(self._session.glob("*.events")):
            found += self._read(path.stem)
        if not found:
            return None
        self._newest = newest_of([*self._newest, *found])
        return tag_of(self._newest)

    def _read(self, writer: str) -> list[Shown]:
        if writer not in self._rings:
            self._rings[writer] = event_ring(self._session, writer)
        ring = self._rings[writer]
        new = ring.read(self._seen.get(writer, max(0, ring.committed - EVENTS_SHOWN)))
        self._seen[writer] = new.first + len(new.rows)
        return [
            {
                "ts": float(row["ts"]) / 1e9,
                "code": row["code"].decode(),
                "text": row["text"].decode(errors="replace"),
            }
            for row in new.rows
        ]


def newest_of(events: list[Shown]) -> list[Shown]:
    """Return the newest events, oldest first, of which few are cycles."""
    ordered = sorted(events, key=lambda event: float(event["ts"]))
    cycles = [i for i, event in enumerate(ordered) if event["code"] == Code.CYCLE]
    dropped = set(cycles[:-CYCLES_SHOWN])
    return [event for i, event in enumerate(ordered) if i not in dropped][-EVENTS_SHOWN:]


def tag_of(events: list[Shown]) -> str:
    """Return events as a tag's value; the oldest are left out until it is short enough."""
    events = list(events)
    while len(text := json.dumps(events)) > TAG_CHARS:
        events.pop(0)
    return text

"""What a trainer tells: events for the session's files, some of them for its console too."""

from __future__ import annotations

import queue
import time
from pathlib import Path

from streaming.events import Code, EventWriter
from streaming.program.console import say

# The events that are also printed for the person who started the session.
PRINTED = (
    Code.RESUMED, Code.LEARNER_RESET, Code.NOT_REPRODUCED, Code.CHAMPION, Code.PROMOTED,
    Code.ROLLED_BACK, Code.VERSION_UNUSABLE, Code.STORE_AWAY, Code.STORE_BACK, Code.LEAK_ALARM,
    Code.DONE,
    Code.BROKEN_BAR, Code.METRIC_REFUSED, Code.NOT_RESUMABLE,
)  # fmt: skip


class TrainerReports:
    """Reports the events of a trainer.

    Args:
        session: the session's folder.
        writer: the trainer's name among the writers of the session's events.
    """

    def __init__(self, session: Path, writer: str) -> None:
        self._events = EventWriter(session, writer)
        # Events of the tracker's thread, which the trainer's own thread reports.
        self._noted: queue.SimpleQueue[tuple[Code, str]] = queue.SimpleQueue()

    def say(self, code: Code, text: str) -> None:
        """Report an event."""
        self._events.say(code, text, time.time_ns())
        if code in PRINTED:
            say(text)

    def note(self, code: Code, text: str) -> None:
        """Keep an event until ``say_noted`` reports it; any thread may call this."""
        self._noted.put((code, text))

    def say_noted(self) -> None:
        """Report the events that were noted."""
        while not self._noted.empty():
            self.say(*self._noted.get())

    def close(self) -> None:
        """Close the file of events."""
        self._events.close()

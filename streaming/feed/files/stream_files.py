"""The files that a feed writes: each symbol's rings and tape, the stream's counters, its events."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from streaming.config import StreamConfig
from streaming.events import Code
from streaming.feed.files.rejections import Rejections
from streaming.feed.files.reports import FeedReports
from streaming.feed.market.ingest import Ingest
from streaming.rings.counters import ConnectionState
from streaming.venues import Rejected


class StreamFiles:
    """Owner of all files of one venue's markets; no other process writes them.

    Args:
        config: gives the sizes of the files.
        session: the session's folder.
        markets: the venue's.
        reports: speaks for the whole feed.

    Attributes:
        ingests: the owner of each symbol's rings and tape.
        say: reports an event: its code, a text, and what it is about.
        say_once: the same for what happens again and again.
    """

    def __init__(
        self, config: StreamConfig, session: Path, markets: Iterable[str], reports: FeedReports
    ) -> None:
        self._config, self._reports = config, reports
        self.say, self.say_once = self._reports.say, self._reports.say_once
        self.ingests = {market: Ingest(session, market, config, self.say) for market in markets}
        self._tape_written = time.monotonic()
        self._rejections = Rejections()

    @property
    def n_ticks(self) -> int:
        """Ticks written so far, of all symbols."""
        return sum(ingest.ticks.committed for ingest in self.ingests.values())

    def set_state(self, state: ConnectionState) -> None:
        """Write down what the connection is doing."""
        for ingest in self.ingests.values():
            ingest.stats["state"] = state

    def count(self, name: str, n: int = 1) -> None:
        """Count what concerns the venue and not one market: its first market keeps it."""
        next(iter(self.ingests.values())).stats[name] += n

    def count_messages(self, n: int, newest: int, rejected: Rejected) -> None:
        """Count frames of the stream, of which the last was received at ``newest``, ns."""
        self.count("messages", n)
        self.note_alive(newest)
        self.count_rejected(n, rejected)

    def count_rejected(self, n: int, rejected: Rejected) -> None:
        """Count what was dropped of ``n`` frames or rows; report what is no trifle."""
        for (symbol, reason), dropped in rejected.items():
            if symbol:
                self.ingests[symbol].stats[f"rejected_{reason}"] += dropped
            else:
                self.count(f"rejected_{reason}", dropped)
        for told in self._rejections.add(n, rejected):
            self.say(Code.REJECTED, told.text, told.about)

    def note_alive(self, now: int) -> None:
        """Write down that nothing has been missed up to ``now``, ns."""
        for ingest in self.ingests.values():
            ingest.stats["last_message_ns"] = now

    def write_tapes(self) -> None:
        """Write segments if they are due.

        The feed does this between two batches and not in a thread: it takes some ms, and a burst
        must not run ahead of its tape.
        """
        now = time.monotonic()
        if now - self._tape_written >= self._config.segment_seconds:
            self._tape_written = now
            for ingest in self.ingests.values():
                ingest.write_tape()

    def close(self) -> None:
        """Write what is not on tape yet, print the totals, and close the files."""
        for ingest in self.ingests.values():
            ingest.close()
            self._reports.print_totals(ingest)

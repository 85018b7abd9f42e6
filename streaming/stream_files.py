"""The files that a feed writes: each symbol's rings and tape, the stream's counters, its events."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path

from streaming.config import StreamConfig
from streaming.counters import ConnectionState
from streaming.events import Code, EventWriter
from streaming.ingest import Ingest
from streaming.tape import TapeWriter

log = logging.getLogger(__name__)


class StreamFiles:
    """Owner of all files of one feed; no other process writes them.

    Args:
        config: gives the symbols and the sizes of the files.
        session: the session's folder.

    Attributes:
        ingests: the owner of each symbol's rings.
    """

    def __init__(self, config: StreamConfig, session: Path) -> None:
        self._config = config
        self.ingests = {symbol: Ingest(session, symbol, config) for symbol in config.symbol_list}
        self._tapes = [
            TapeWriter(ingest.ticks, session / "tape", symbol)
            for symbol, ingest in self.ingests.items()
            if config.segment_seconds
        ]
        self._tape_written = time.monotonic()
        self._events = EventWriter(session, "feed")
        self._reported: set[str] = set()  # reasons of dropped messages that have had their event

    @property
    def n_ticks(self) -> int:
        """Ticks written so far, of all symbols."""
        return sum(ingest.ticks.committed for ingest in self.ingests.values())

    def say(self, code: Code, text: str) -> None:
        """Report an event that happens now."""
        log.info("%s", text)
        self._events.say(code, text, time.time_ns())

    def set_state(self, state: ConnectionState) -> None:
        """Write down what the connection is doing."""
        for ingest in self.ingests.values():
            ingest.stats["state"] = state

    def count(self, name: str, n: int = 1) -> None:
        """Count what concerns the connection and not one symbol: the first symbol keeps it."""
        next(iter(self.ingests.values())).stats[name] += n

    def count_messages(self, n: int, newest: int) -> None:
        """Count ``n`` messages, of which the last was received at ``newest``, ns."""
        self.count("messages", n)
        for ingest in self.ingests.values():
            ingest.stats["last_message_ns"] = newest

    def count_rejected(self, rejected: Counter[tuple[str, str]]) -> None:
        """Count dropped messages by (symbol or "", reason); report the first of each reason."""
        for (symbol, reason), n in rejected.items():
            if reason not in self._reported:
                self._reported.add(reason)
                text = f"dropped a message of the venue: {reason}; further ones are counted"
                self.say(Code.REJECTED, text)
            if symbol:
                self.ingests[symbol].stats[f"rejected_{reason}"] += n
            else:
                self.count(f"rejected_{reason}", n)

    def write_tapes(self) -> None:
        """Write segments if they are due, and early if the ring would overwrite ticks.

        The feed does this between two batches and not in a thread: it takes some ms, and a burst
        must not run ahead of its tape.
        """
        now = time.monotonic()
        due = now - self._tape_written >= self._config.segment_seconds
        self._tape_written = now if due else self._tape_written
        for tape in self._tapes:
            if due or tape.pending > self._config.tick_cache // 2:
                tape.write_pending()

    def close(self) -> None:
        """Write what is not on tape yet, and close the files."""
        for tape in self._tapes:
            tape.write_pending()
        for ingest in self.ingests.values():
            ingest.close()
        self._events.close()

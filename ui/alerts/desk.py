"""The alerts of one session's page: looks with every look at MLflow, remembers, has it sent.

Poller's thread ─ look ─> facts ─> Watch ─> changes ─> history, messages
routes (any thread) ─ change ─> BookFile
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

from filelock import FileLock, Timeout

from trainers.tracking.model_reader import ModelRecord
from ui.alerts.book import Book, BookFile, Firing, Memory, new_id
from ui.alerts.facts import Facts, Series, events_of, facts_of
from ui.alerts.rules import AT_ONCE, CHAMPION, STATUS
from ui.alerts.sender import Limits, Message, Sender
from ui.alerts.watch import Change, Key, State, Watch
from ui.market import Counters
from ui.metrics import Metrics

logger = logging.getLogger(__name__)

SENDING, UNSENT, HELD_BACK = "sending", "shown here only", "held back: too many messages"
LOST = "not known: the page that sent it has ended"
TITLE = {"firing": "alert", "resolved": "alert is over", "test": "test"}
TEXT_CHARS = 300
TEST_TEXT = "Alerts reach this address."


@dataclasses.dataclass(frozen=True)
class Sources:
    """What the desk looks at; each is called anew at every look.

    Attributes:
        session: the session's run id.
        folder: the session's.
        stale_seconds: silence after which a stream is STALE.
        metrics: what MLflow held at the last look.
        streams: the counters of each symbol's stream.
        models: the registered models; None if not known.
    """

    session: str
    folder: Path
    stale_seconds: float
    metrics: Callable[[], Metrics]
    streams: Callable[[], Mapping[str, Counters | None]]
    models: Callable[[], list[ModelRecord] | None]


class AlertDesk:
    """Alerts of one session.

    Args:
        path: of the file that keeps rules, address and history.
        sources: what to look at.
        now: Unix seconds.
    """

    def __init__(self, path: Path, sources: Sources, now: Callable[[], float] = time.time) -> None:
        self.sources, self.sender = sources, Sender()
        self.revision = 0  # of what is shown
        self.broken = ""  # why there are no alerts, if there are none
        self._file, self._now = BookFile(path, sources.session), now
        self._duty = FileLock(sources.folder / "alerts.duty", thread_local=False, blocking=False)
        self._limits, self._lock = Limits(), threading.RLock()
        self._watch = Watch()
        self.book = self._read() or Book({})

    @property
    def states(self) -> dict[Key, State]:
        """Every rule's state of every series."""
        return self._watch.states

    @property
    def known(self) -> list[Series]:
        """Everything a rule could be about."""
        return list(self._watch.known)

    @property
    def firing(self) -> int:
        """How many alerts fire now."""
        return sum(state.phase == "firing" for state in list(self.states.values()))

    def look(self) -> None:
        """Hold the rules against what is the case now; in the poller's thread."""
        with self._lock:
            if (book := self._read()) is None:
                return
            shown, self.book = (self.book, self._phases()), book
            if self._on_duty(book.memory):
                self._hold(book, self._now())
            self.revision += shown != (self.book, self._phases())

    def change(self, change: Callable[[Book], Book]) -> None:
        """Change rules or address.

        Raises:
            KnobError: of the change.
            OSError, ValueError: if the file cannot be used.
        """
        with self._lock:
            self.book = self._file.change(change)
            self.broken = ""
            self.revision += 1

    def test(self) -> Future[str]:
        """Send a test message; return what becomes of it.

        Raises:
            OSError, ValueError: if the file cannot be used.
        """
        outcome: Future[str] = Future()
        session, now = self.sources.session, self._now()
        line = Firing(new_id(), now, session, "test", "test message", TEST_TEXT, SENDING)
        self.change(lambda book: book.with_history(line))
        self._send(line, outcome.set_result)
        return outcome

    def _read(self) -> Book | None:
        try:
            book, self.broken = self._file.read(), ""
        except (OSError, ValueError) as e:
            if not self.broken:
                logger.error("no alerts: %s", e)
                self.revision += 1
            self.broken = f"no alerts: {e}"
            return None
        return book

    def _on_duty(self, memory: Memory) -> bool:
        """Return whether this page is the one that looks, taking over if no other does."""
        if self._duty.is_locked:
            return True
        before = {Series(*whose, CHAMPION): version for whose, version in memory.champions.items()}
        self._watch = Watch(memory.firing, dict(before))
        with contextlib.suppress(Timeout):
            self._duty.acquire()
            self.change(lambda book: book.lost(self.sources.session, SENDING, LOST))
        return self._duty.is_locked

    def _hold(self, book: Book, now: float) -> None:
        sources = self.sources
        metrics = sources.metrics()
        facts = facts_of(metrics, sources.streams(), sources.models(), sources.stale_seconds)
        events = events_of(metrics, book.memory.heard)
        changes = self._watch.look(book.rules, facts, [event.text for event in events], now)
        lines = [self._line(change, now) for change in changes if _is_news(change)]
        heard = max((event.ts for event in events), default=book.memory.heard)
        self._keep(lines, self._memory(book.memory, facts, heard))
        for line in lines:
            if line.sent == SENDING:
                self._send(line)

    def _phases(self) -> list[tuple[Key, str]]:
        return [(key, state.phase) for key, state in self.states.items()]

    def _memory(self, old: Memory, facts: Facts, heard: float) -> Memory:
        seen = {s[:2]: str(value) for s, value in facts.items() if s.what == CHAMPION}
        firing = {
            key: dataclasses.replace(state, held=0.0)
            for key, state in self.states.items()
            if state.phase == "firing"
        }
        return Memory(firing, heard, {**old.champions, **seen})

    def _line(self, change: Change, now: float) -> Firing:
        """Return the history's line of a change, with what will become of its message."""
        sent = UNSENT
        if self.book.address:
            may = self._limits.allow(change.key.rule, time.monotonic())
            sent = SENDING if may else HELD_BACK
        rule, text = change.rule.text, change.text + self._why(change)
        return Firing(new_id(), now, self.sources.session, change.phase, rule, text, sent)

    def _why(self, change: Change) -> str:
        """Return what a learner says of its status."""
        symbol, who, what = change.series
        run = self.sources.metrics().runs(symbol).get(who)
        said = run.tags.get("status_text", "") if run and what == STATUS else ""
        return f": {said[:TEXT_CHARS]}" if said else ""

    def _keep(self, lines: list[Firing], memory: Memory) -> None:
        """Write down what a look came to; what cannot be written is still sent."""
        if not lines and memory == self.book.memory:
            return

        def change(book: Book) -> Book:
            return dataclasses.replace(book.with_history(*lines), memory=memory)

        try:
            self.book = self._file.change(change)
        except OSError as e:
            logger.error("alerts cannot be saved: %s", e)
            self.book = change(self.book)

    def _send(self, line: Firing, also: Callable[[str], None] = lambda _: None) -> None:
        def done(outcome: str) -> None:
            try:
                self.change(lambda book: book.resent(line.id, outcome))
            finally:
                also(outcome)

        title = f"Tickloop {TITLE[line.phase]}: {line.rule}"
        body = f"{line.text}\nsession {line.session}"
        self.sender.send(Message(self.book.address, title, body, done))


def _is_news(change: Change) -> bool:
    """Return whether a change is worth a line: what happened at once is not over later."""
    return change.phase == "firing" or change.rule.how not in AT_ONCE

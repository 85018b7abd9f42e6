"""The alerts of one session's page: evaluates the rules, keeps the history, sends messages.

Poller's thread ─ evaluate ─> samples ─> RuleEvaluator ─> transitions ─> history, messages
routes (any thread) ─ change ─> AlertStore

Of all pages of a session, one evaluates and sends: the one that holds the leader lock.
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

from streaming.errors import reason_of
from trainers.config import SessionConfig
from trainers.names import Tag, model_name
from trainers.tracking.model_reader import ModelRecord
from ui.alerts.alert_store import (
    HISTORY_KEPT,
    AlertData,
    AlertStore,
    HistoryEntry,
    Progress,
    new_id,
)
from ui.alerts.rule_evaluator import Key, RuleEvaluator, RuleState, Transition
from ui.alerts.rules import CHAMPION, STATE, STATUS
from ui.alerts.samples import Samples, Series, collect_samples, names_of_samples, new_events
from ui.alerts.sender import Limits, Message, Sender
from ui.market_reader import Counters
from ui.mlflow.session_metrics import SessionMetrics

logger = logging.getLogger(__name__)

SENDING, SHOWN_ONLY, RATE_LIMITED = (
    "sending",
    "shown on this page only",
    "held back: too many messages",
)
LOST = "not known: the page that sent it has ended"
TITLE = {"firing": "alert", "resolved": "alert is over", "test": "test"}
TEXT_CHARS = 300
TEST_TEXT = "Alerts reach this address."


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where samples come from; each function is called at every evaluation.

    Attributes:
        session: the session's run id.
        folder: the session's folder.
        config: the session's settings.
        metrics: returns what MLflow held when it was last read.
        streams: returns the counters of each symbol's stream.
        models: returns the registered models; None if they are not known.
    """

    session: str
    folder: Path
    config: SessionConfig
    metrics: Callable[[], SessionMetrics]
    streams: Callable[[], Mapping[str, Counters | None]]
    models: Callable[[], list[ModelRecord] | None]


class AlertService:
    """Evaluates, keeps and sends the alerts of one session.

    Args:
        path: the file that keeps rules, address and history.
        sources: where samples come from.
        now: returns Unix seconds.

    Attributes:
        data: the rules, the address and the history as they were read last.
        revision: a number that grows with every change of what is shown.
        broken: why there are no alerts; empty if there are.
    """

    def __init__(self, path: Path, sources: Sources, now: Callable[[], float] = time.time) -> None:
        self.sources, self.sender = sources, Sender()
        self.revision = 0
        self.broken = ""
        self._store, self._now = AlertStore(path, sources.session), now
        self._leader = FileLock(
            sources.folder / "alerts.leader", thread_local=False, blocking=False
        )
        self._limits, self._lock = Limits(), threading.RLock()
        self._evaluator = RuleEvaluator()
        self._entries: list[HistoryEntry] = []  # which could not be saved, as the progress
        self._progress_now: Progress | None = None
        self._failure = ""  # why not; empty if all is saved
        self.data = self._read() or AlertData({})

    @property
    def states(self) -> dict[Key, RuleState]:
        """The state of every rule and series."""
        return self._evaluator.states

    @property
    def known(self) -> set[tuple[str, str]]:
        """Who and what a rule could be about."""
        before = {(series.who, series.what) for series in list(self._evaluator.known)}
        return before | names_of_samples(self.sources.metrics(), self.sources.streams())

    @property
    def firing(self) -> int:
        """How many alerts fire now."""
        return sum(state.phase == "firing" for state in list(self.states.values()))

    def evaluate(self) -> None:
        """Evaluate the rules on the samples there are now; in the poller's thread."""
        with self._lock:
            if (data := self._read()) is None:
                return
            shown, self.data = (self.data, self._phases()), data
            if self._is_leader():
                self._evaluate(self._now())
            self.revision += shown != (self.data, self._phases())

    def change(self, change: Callable[[AlertData], AlertData]) -> None:
        """Change rules or address.

        Raises:
            ConfigError: if ``change`` raises it.
            OSError, ValueError: if the file cannot be used.
        """
        with self._lock:
            self.data = self._with_unsaved(self._store.change(change))
            self.broken = ""
            self.revision += 1

    def test(self) -> Future[str]:
        """Send a test message; return what becomes of it.

        Raises:
            OSError, ValueError: if the file cannot be used.
        """
        outcome: Future[str] = Future()
        entry = self._entry("test", "test message", TEST_TEXT, SENDING, self._now())
        self.change(lambda data: data.with_history(entry))
        self._send(entry, outcome.set_result)
        return outcome

    def _read(self) -> AlertData | None:
        try:
            data, self.broken = self._store.read(), ""
        except (OSError, ValueError) as e:
            if not self.broken:
                logger.error("no alerts: %s", e)
                self.revision += 1
            self.broken = f"no alerts: {e}"
            return None
        return self._with_unsaved(data)

    def _is_leader(self) -> bool:
        """Return whether this page evaluates, becoming the leader if there is none."""
        if self._leader.is_locked:
            return True
        progress = self.data.progress
        self._evaluator = RuleEvaluator(progress.firing, self._champions_seen())
        with contextlib.suppress(Timeout):
            self._leader.acquire()
            # Nobody sends any more what an earlier leader was about to send.
            session = self.sources.session
            try:
                self.change(
                    lambda data: data.with_sent(
                        LOST, lambda entry: (entry.sent, entry.session) == (SENDING, session)
                    )
                )
            except OSError as e:
                self._cannot_save(e)
        return self._leader.is_locked

    def _evaluate(self, now: float) -> None:
        sources, progress = self.sources, self.data.progress
        metrics = sources.metrics()
        # States tell that the session is known; champions are kept for the next process.
        wanted = {STATE, CHAMPION, *(rule.what for rule in self.data.rules.values() if rule.on)}
        samples = collect_samples(
            metrics, sources.streams(), sources.models(), sources.config, wanted
        )
        events = new_events(metrics, progress.last_event)
        transitions = self._evaluator.evaluate(self.data.rules, samples, events, now)
        entries = [
            self._entry(each.phase, each.rule.text, self._text(each), self._outcome(each), now)
            for each in transitions
            if each.phase == "firing" or not each.rule.at_once  # what happens at once has no end
        ]
        last_event = max((event.ts for event in events), default=progress.last_event)
        self._save(entries, self._progress(samples, last_event))
        for entry in entries:
            if entry.sent == SENDING:
                self._send(entry)

    def _champions_seen(self) -> Samples:
        """Return the champions of this session's models as they were seen last."""
        config, seen = self.sources.config, self.data.progress.champions
        every = [(symbol, who) for symbol in config.symbol_list for who in config.learner_names]
        return {
            Series(*each, CHAMPION): seen[of]
            for each in every
            if (of := (self._model(*each), each[1])) in seen
        }

    def _model(self, symbol: str, who: str) -> str:
        # A champion of one source is none of another.
        config = self.sources.config
        return model_name(config.source, symbol, who, config.target)

    def _phases(self) -> list[tuple[Key, str]]:
        return [(key, state.phase) for key, state in self.states.items()]

    def _progress(self, samples: Samples, last_event: float) -> Progress:
        champions = {
            (self._model(series.symbol, series.who), series.who): str(value)
            for series, value in samples.items()
            if series.what == CHAMPION
        }
        firing = {
            key: dataclasses.replace(state, lasted=0.0)
            for key, state in self.states.items()
            if state.phase == "firing"
        }
        return Progress(firing, last_event, {**self.data.progress.champions, **champions})

    def _entry(self, phase: str, rule: str, text: str, sent: str, now: float) -> HistoryEntry:
        return HistoryEntry(new_id(), now, self.sources.session, phase, rule, text, sent)

    def _outcome(self, transition: Transition) -> str:
        """Return what is to become of a transition's message, counting it if it may be sent."""
        if not self.data.address:
            return SHOWN_ONLY
        allowed = self._limits.allow(transition.key.rule, time.monotonic())
        return SENDING if allowed else RATE_LIMITED

    def _text(self, transition: Transition) -> str:
        """Return what is the case; of a state, with the learner's own text."""
        symbol, who, what = transition.series
        run = self.sources.metrics().runs(symbol).get(who) if what in (STATUS, STATE) else None
        status = run.tags.get(Tag.STATUS_TEXT, "") if run else ""
        return transition.text + (f": {status[:TEXT_CHARS]}" if status else "")

    def _save(self, entries: list[HistoryEntry], progress: Progress) -> None:
        """Save an evaluation; messages are sent even if it cannot be saved.

        What the disk does not take is saved with a later one: else its events would be new ones at
        the next evaluation, and be sent again.
        """
        if not entries and progress == self.data.progress and not self._failure:
            return
        self._entries, self._progress_now = [*self._entries, *entries][-HISTORY_KEPT:], progress
        try:
            self.data = self._store.change(self._with_unsaved)
        except OSError as e:
            self._cannot_save(e)
            self.data = self._with_unsaved(self.data)
        else:
            self._entries, self._progress_now, self._failure = [], None, ""

    def _with_unsaved(self, data: AlertData) -> AlertData:
        """Return the data with the evaluations that could not be saved."""
        progress = self._progress_now or data.progress
        return dataclasses.replace(data.with_history(*self._entries), progress=progress)

    def _cannot_save(self, error: OSError | ValueError) -> None:
        """Say once why nothing can be saved, until something can."""
        if (reason := reason_of(error)) != self._failure:
            logger.error("alerts cannot be saved: %s", reason)
        self._failure = reason

    def _send(self, entry: HistoryEntry, also: Callable[[str], None] = lambda _: None) -> None:
        def done(outcome: str) -> None:
            with self._lock:
                self._entries = [
                    dataclasses.replace(each, sent=outcome) if each.id == entry.id else each
                    for each in self._entries
                ]
            try:
                self.change(lambda data: data.with_sent(outcome, lambda e: e.id == entry.id))
            except (OSError, ValueError) as e:
                self._cannot_save(e)
            finally:
                also(outcome)

        title = f"Tickloop {TITLE[entry.phase]}: {entry.rule}"
        body = f"{entry.text}\nsession {entry.session}"
        self.sender.send(Message(self.data.address, title, body, done))

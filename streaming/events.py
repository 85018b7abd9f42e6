"""Events that the processes of a session report to people: a ring of rows for each process.

    feed, supervisor, trainer -> WRITER.events -> trainer -> MLflow's tag ``events`` -> page, alerts

An event has a code beside its text. Rules and programs match the code; the text is for reading and
may be worded anew.
"""

from __future__ import annotations

import enum
from pathlib import Path

import numpy as np

from streaming.rings.ring import Ring, RingWriter


class Code(enum.StrEnum):
    """What kind of event it is; the values are a contract."""

    # The stream.
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    CHANGED = "changed"  # one connection took over from another as planned, and nothing was missed
    REFUSED = "refused"  # the venue does not serve this address or region
    STALE = "stale"  # open, but trades have happened that it did not bring
    QUIET = "quiet"  # open and silent, and nothing has happened
    UNKNOWN_SYMBOL = "unknown_symbol"
    REST_AWAY = "rest_away"  # the venue's REST interface does not answer
    CLOCK_OFF = "clock_off"  # our clock is not the venue's
    HISTORY = "history"  # trades from before the first streamed one were fetched
    SHORT_HISTORY = "short_history"  # ... but fewer than asked for
    NO_HISTORY = "no_history"
    REPAIRED = "repaired"  # missed trades were fetched
    GAP = "gap"  # trades are missing for good
    NOT_PROVABLE = "not_provable"  # the venue's ids do not show whether a trade was lost
    RECOUNTED = "recounted"  # the venue numbers its trades anew
    REJECTED = "rejected"  # messages of the venue are dropped
    TAPE = "tape"  # what is odd about a tape: its order, rows that are dropped
    TAPE_ENDED = "tape_ended"
    TAPE_FAILED = "tape_failed"  # ticks cannot be put on tape; they stay in the cache
    TAPE_BACK = "tape_back"
    TAPE_DROPPED = "tape_dropped"  # its oldest segments, as a setting says

    # Processes and the store.
    PROCESS_RESTARTED = "process_restarted"
    PROCESS_FAILED = "process_failed"  # so often that the session ends
    STORE_AWAY = "store_away"
    STORE_BACK = "store_back"
    RESUMED = "resumed"
    FLEET = "fleet"  # where a shard of a fleet runs now

    # Training.
    CYCLE = "cycle"  # a training cycle has ended
    LEARNER_FAILED = "learner_failed"
    LEARNER_RESET = "learner_reset"  # it could not be resumed and begins anew
    NOT_RESUMABLE = "not_resumable"  # a learner's state cannot be kept
    METRIC_REFUSED = "metric_refused"  # a metric cannot be logged
    BROKEN_BAR = "broken_bar"  # a price moved further than any market does in a second
    LEAK_ALARM = "leak_alarm"  # the permuted-label control knows something
    NOT_REPRODUCED = "not_reproduced"  # computed again after a restart, it came to something else
    DONE = "done"  # its cycles are done, or its tape is over: what came of it
    CONTROL = "control"  # an operator's request was carried out or refused

    # Model versions.
    REGISTERED = "registered"
    PROMOTED = "promoted"  # the verdict: a challenger is to become champion
    ROLLED_BACK = "rolled_back"  # the verdict: a champion is to go
    CHAMPION = "champion"  # another version forecasts as champion from here on
    VERSION_UNUSABLE = "version_unusable"  # the alias names what cannot be loaded


# Why no trade may be coming, in a feed's events; and what ends such a state.
HINDRANCES = (
    Code.DISCONNECTED, Code.REFUSED, Code.STALE, Code.QUIET, Code.UNKNOWN_SYMBOL, Code.REJECTED,
)  # fmt: skip
REMEDIES = (Code.CONNECTED, Code.CHANGED, Code.HISTORY, Code.REPAIRED)

EVENT = np.dtype([("ts", "<i8"), ("code", "S24"), ("text", "S248")])  # ts: ns, Unix epoch
EVENTS_KEPT = 1000
EVENTS_LOOKED_AT = 50


def event_ring(session: Path, writer: str) -> Ring:
    """Open the events of one writer for reading; ``writer`` is ``feed``, ``supervisor``, ..."""
    return Ring(session / f"{writer}.events", EVENT)


def hindrance(session: Path) -> str:
    """Return why no trade may be coming, as the feed said last; "" if it knows no reason."""
    try:
        rows = event_ring(session, "feed").tail(EVENTS_LOOKED_AT).rows
    except FileNotFoundError:
        return ""
    for row in rows[::-1]:
        code = row["code"].decode()
        if code in REMEDIES:
            break
        if code in HINDRANCES:
            return str(row["text"].decode(errors="replace"))
    return ""


class EventWriter:
    """The one writer of a ring of events.

    Args:
        session: the session's folder.
        writer: the process that reports: ``feed``, ``supervisor``, ...
    """

    def __init__(self, session: Path, writer: str) -> None:
        self._ring = RingWriter(session / f"{writer}.events", EVENT, EVENTS_KEPT)

    def say(self, code: Code, text: str, ts: int) -> None:
        """Append what happened at ``ts``, ns; a text too long for a row is cut."""
        row = np.zeros(1, EVENT)
        row["ts"], row["code"] = ts, code.encode()
        row["text"] = text.encode()[: EVENT["text"].itemsize].decode(errors="ignore").encode()
        self._ring.append(row)

    def close(self) -> None:
        """Let go of the file."""
        self._ring.close()

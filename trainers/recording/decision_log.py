"""The journal of a session: what was decided, and in which order, one JSON object a line.

    began      a trainer started: format, the session's config
    bars       a symbol's bars up to ``to`` were taken, ``after`` a learner's training or between
               cycles; ``asked`` tells whether the newest was forecast in time
    cut        a cycle begins: the ticks it may see, and what the feed had counted by then
    end        it ended: measured seconds, and hashes of all that it computed
    control    an operator's wish was carried out
    champion   another model version forecasts as champion from the next bar on
    verdict    what the evidence said of a challenger or a champion
    segment    a piece of the tape is whole, with the hash of its content
    event      something a person should know

Everything else follows from the ticks and the config, so a replay that does the same in the same
order comes to the same values. A line is written by one ``os.write`` and outlives a kill.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from streaming.errors import StreamingError

FORMAT = 1

Entry = dict[str, Any]


class JournalError(StreamingError):
    """A journal is another version's, in use or damaged: stop, say which line."""


def read_journal(path: Path) -> list[Entry]:
    """Return the whole entries; a last line torn by a kill is left out.

    Raises:
        JournalError: if a line before the last is no entry, or the format is another.
        FileNotFoundError: if there is no journal.
    """
    *whole, _torn = path.read_bytes().split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(whole, 1):
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.DecodeError as e:
            raise JournalError(
                f"{path}: expected a JSON object in line {number}, found {line[:60]!r} ({e}); it"
                " was changed since it was written: restore it from the run's artifacts"
            ) from e
    found = {entry.get("format") for entry in entries if entry["do"] == "began"}
    if found - {FORMAT}:
        raise JournalError(
            f"{path}: expected format {FORMAT}, found {sorted(found, key=str)}; use the version of"
            " tickloop that wrote it"
        )
    return entries


def cycles_ended(path: Path) -> int:
    """Return how many cycles a journal has the end of; 0 while there is none. Cheap: no parsing."""
    return path.read_bytes().count(b'{"do":"end"') if path.exists() else 0


class Journal:
    """The one writer of a journal; goes on with what is there.

    Args:
        path: the file; made if missing.

    Attributes:
        entries: those found at opening.
        count: entries written so far, with those found.
        torn: bytes of a last line, half-written by a killed writer, that were cut off.

    Raises:
        JournalError: if another process writes it, or as ``read_journal``.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # segments are noted by the thread that uploads them
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.entries = read_journal(path)
        except OSError as e:
            os.close(self._file)
            raise JournalError(f"{path}: another process writes it; end that first") from e
        except JournalError:
            os.close(self._file)
            raise
        self.count = len(self.entries)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        self.torn = len(data) - whole
        os.ftruncate(self._file, whole)

    def write(self, do: str, **fields: Any) -> None:
        """Append an entry; it is safe from a kill of this process on return."""
        line = msgspec.json.encode({"do": do, **fields}) + b"\n"
        with self._lock:
            os.write(self._file, line)
            self.count += 1

    def close(self) -> None:
        """Give up the write lock; the file stays."""
        os.close(self._file)

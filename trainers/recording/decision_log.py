"""The decision log of a market: what was decided, and in which order, one JSON object a line.

    began      a trainer took the market up: format, the session's settings
    bars       the bars up to ``to`` were taken, ``after`` a learner's turn or between cycles;
               ``ask`` tells whether the newest was to be forecast
    cycle      a cycle begins: how many rows of each stream it may see (the ``watermark``), and
               what the feed had counted by then
    end        it ended: measured seconds, hashes of all that it computed, the stream's metrics
    control    an operator's wish was carried out; ``seq`` is its line in the session's controls
    champion   another model version forecasts as champion from the next bar on
    verdict    what the evidence said of a challenger or a champion
    segment    a piece of the tape is in the store, with the hash of its content

An entry is written before it is acted on. Everything else follows from the ticks and the settings,
so a replay that does the same in the same order comes to the same values. A line is written by one
``os.write`` and outlives a kill.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from trainers.recording.errors import DecisionLogError
from trainers.recording.files import DECISIONS, FORMAT

Entry = dict[str, Any]

END = b'{"do":"end"'  # how the entry of a cycle's end begins
TAIL_BYTES = 1 << 16


def read_decisions(path: Path) -> list[Entry]:
    """Return the whole entries; a last line torn by a kill is left out.

    Raises:
        DecisionLogError: if a line before the last is no entry, or the format is another.
        FileNotFoundError: if there is no log.
    """
    *whole, _torn = path.read_bytes().split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(whole, 1):
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.DecodeError as e:
            raise DecisionLogError(
                f"{path}: expected a JSON object in line {number}, found {line[:60]!r} ({e}); it"
                " was changed since it was written: restore it from the run's artifacts"
            ) from e
    found = {entry.get("format") for entry in entries if entry["do"] == "began"}
    if found - {FORMAT}:
        raise DecisionLogError(
            f"{path}: expected format {FORMAT}, found {sorted(found, key=str)}; use the version of"
            " tickloop that wrote it"
        )
    return entries


def cycles_ended(path: Path) -> int:
    """Return how many cycles a log has the end of; 0 while there is none. Cheap: no parsing."""
    return path.read_bytes().count(END) if path.exists() else 0


class DecisionLog:
    """The one writer of a log; goes on with what is there.

    Args:
        path: the file; made if missing.

    Attributes:
        entries: those found at opening.
        count: entries written so far, with those found.
        torn: bytes of a last line, half-written by a killed writer, that were cut off.

    Raises:
        DecisionLogError: if another process writes it, or as ``read_decisions``.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # the thread that uploads segments writes too
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.entries = read_decisions(path)
        except OSError as e:
            os.close(self._file)
            raise DecisionLogError(f"{path}: another process writes it; end that first") from e
        except DecisionLogError:
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


def last_end(path: Path) -> Entry | None:
    """Return the entry of the last cycle that has ended; None if none has. Reads the end only."""
    if not path.exists():
        return None
    size = path.stat().st_size
    part = TAIL_BYTES
    with path.open("rb") as file:
        while True:
            file.seek(max(0, size - part))
            tail = file.read(part)
            whole = tail[: tail.rfind(b"\n") + 1]
            if (at := whole.rfind(END)) >= 0:
                entry: Entry = msgspec.json.decode(whole[at : whole.index(b"\n", at)], type=Entry)
                return entry
            if part >= size:
                return None
            part *= 4


def cycles_done(session: Path) -> int:
    """Return the number of the last cycle that was ended, of any market."""
    ends = [last_end(path) for path in session.glob(f"*{DECISIONS}")]
    return max((end["cycle"] for end in ends if end), default=0)

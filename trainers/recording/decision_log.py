"""The decision log of a market: its decisions in order, one JSON object per line.

A decision is written before it is carried out. All else follows from the rows of the streams and
the settings, so a replay that repeats the decisions in order computes the same values. Each line is
written by one ``os.write``, and a kill of the process does not lose it.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trainers.recording.contents.entries import Entry, check_entry, entry_of
from trainers.recording.errors import RESTORE, DecisionLogError
from trainers.recording.files import CHECKPOINT, DECISIONS, FORMAT, append

if TYPE_CHECKING:  # who only reads a log, as the page does, need not load the engine
    from trainers.engine.commands import CandidateWanted, CycleDone, RollbackWanted

END = b'{"do":"end"'  # the first bytes of the entry of a cycle's end
BEGAN, LEFT = b'{"do":"began"', b'{"do":"left"'
TAIL_BYTES = 1 << 16


def checked_decisions(path: Path) -> list[Entry]:
    """Return the entries of a log as ``read_decisions`` does, each of which can be repeated.

    Raises:
        DecisionLogError: if an entry is unknown or lacks something, or the log is damaged.
        FileNotFoundError: if there is no log.
    """
    entries = read_decisions(path)
    for number, entry in enumerate(entries, 1):
        check_entry(path, number, entry)
    return entries


def check_logs(session: Path) -> None:
    """Check that the decision logs of a session can be repeated.

    Raises:
        DecisionLogError: if one is damaged, or that of a market that has learned is missing.
    """
    for log in session.glob(f"*{DECISIONS}"):
        checked_decisions(log)
    for checkpoint in session.glob(f"*{CHECKPOINT}"):
        log = session / (checkpoint.name.removesuffix(CHECKPOINT) + DECISIONS)
        if not log.exists() or not log.stat().st_size:
            raise DecisionLogError(
                f"{log}: expected the decisions of a market that has learned, there are none:"
                f" {RESTORE}, or begin another session"
            )


def read_decisions(path: Path) -> list[Entry]:
    """Return the entries of a log, oldest first, without a last line torn by a kill.

    Raises:
        DecisionLogError: if a line is no JSON object, or the log has another version's format.
        FileNotFoundError: if there is no log.
    """
    *whole, _torn = path.read_bytes().split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(whole, 1):
        entries.append(entry_of(path, line, f"line {number}"))
    found = {entry.get("format") for entry in entries if entry["do"] == "began"}
    if found - {FORMAT}:
        raise DecisionLogError(
            f"{path}: expected format {FORMAT}, found {sorted(found, key=str)}; use the version of"
            " tickloop that wrote it"
        )
    return entries


def cycles_ended(path: Path) -> int:
    """Return the number of cycles that have ended, without parsing; 0 if there is no log."""
    return path.read_bytes().count(END) if path.exists() else 0


class DecisionLog:
    """The only writer of a log, which it locks; continues a log that exists. Threads may share it.

    Args:
        path: the file; created if missing.

    Attributes:
        entries: the entries found at opening; later ones are not added.
        count: the number of entries in the log.
        torn: the bytes of a last line, half-written by a killed writer, that were cut off.

    Raises:
        DecisionLogError: if another process writes the log, or ``read_decisions`` raises it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # the thread that uploads segments writes as well
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            self._lock_file()
            self.entries = read_decisions(path)
        except BaseException:
            os.close(self._file)
            raise
        self.count = len(self.entries)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        self.torn = len(data) - whole
        os.ftruncate(self._file, whole)

    def _lock_file(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise DecisionLogError(
                f"{self._path}: another process writes it; end that first"
            ) from e

    def write(self, do: str, **fields: Any) -> None:
        """Append an entry; once this returns, a kill of the process does not lose it.

        Raises:
            OSError: if the disk has no room for it; the log is unchanged.
        """
        line = msgspec.json.encode({"do": do, **fields}) + b"\n"
        with self._lock:
            append(self._file, self._path, line)
            self.count += 1

    def begin(self, market: str) -> None:
        """Note that a process has taken the market up."""
        self.write("began", format=FORMAT, market=market)

    def end(self, done: CycleDone, seconds: Mapping[str, float], *, overran: bool) -> None:
        """Note the end of a cycle.

        Args:
            done: what came of it.
            seconds: how long each learner's turn took, by name.
            overran: whether the next cycle was due before this one ended.
        """
        self.write(
            "end",
            cycle=done.cycle,
            seconds=seconds,
            overran=overran,
            hashes=done.hashes,
            stream=done.stream,
            standing=done.standing,
        )

    def note_verdict(self, wanted: CandidateWanted | RollbackWanted) -> None:
        """Note the evidence by which a champion is to change; there is none where a person asks."""
        if wanted.verdict and wanted.by == "evidence":
            told = wanted.verdict.as_dict()
            self.write("verdict", learner=wanted.learner, cycle=wanted.cycle, **told)

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._file)


def last_end(path: Path) -> Entry | None:
    """Return the last ``end`` entry; None if no cycle has ended. Reads only the file's tail.

    Raises:
        DecisionLogError: if the entry is damaged.
    """
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
                return entry_of(path, whole[at : whole.index(b"\n", at)], "its last line of an end")
            if part >= size:
                return None
            part *= 4


def was_left(path: Path) -> bool:
    """Return whether nothing is left to do in a market; False if there is no log yet."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = file.read()
    return tail.rfind(LEFT) > tail.rfind(BEGAN)


def cycles_done(session: Path) -> int:
    """Return the highest number of a cycle that has ended, over all markets of a session.

    Raises:
        DecisionLogError: if a log is damaged at its end.
    """
    ends = [last_end(path) for path in session.glob(f"*{DECISIONS}")]
    return max((int(end.get("cycle", 0)) for end in ends if end), default=0)

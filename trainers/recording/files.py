"""The files in a session's folder that outlive a process: their names, and how they grow.

Each has one writer. A market's files begin with its symbol, as ``file_name`` writes it; the next
process that trains the market takes them over.
"""

from __future__ import annotations

import os
from pathlib import Path

from streaming.symbols import file_name
from trainers.recording.errors import RecordError

# Files of the session.
CONFIG = "config.json"
CONTROLS = "controls.jsonl"  # the requests of operators, which every trainer reads
SUMS = "sums.jsonl"  # the cycles of all markets that were combined into the session's metrics
OUTBOX = "outbox.jsonl"  # undelivered batches of the session's own run
TAPE = "tape"

# Files of a market: what follows its symbol.
DECISIONS = ".decisions.jsonl"
CHECKPOINT = ".checkpoint.pt"
MARKET_OUTBOX = ".outbox.jsonl"
RUNS = ".runs.json"
OUTCOMES, FORECASTS = ".outcomes", ".forecasts"

RECORD = "record"  # the artifact folder of the session's run that holds its record

FORMAT = 2
JOURNAL = "journal.jsonl"  # a file of format 1, which tickloop 0.1 wrote


def of_market(session: Path, market: str, kind: str) -> Path:
    """Return the path of a market's file; ``kind`` is one of the endings, as ``CHECKPOINT``."""
    return session / f"{file_name(market)}{kind}"


def check_format(session: Path) -> None:
    """Check that a session's record does not have an older version's format.

    Raises:
        RecordError: if it has; the text names that version.
    """
    if (session / JOURNAL).exists():
        raise RecordError(
            f"{session}: expected a record of format {FORMAT}, found one of format 1, written by"
            " tickloop 0.1; replay or resume it with that version, or begin another session"
        )


def append(file: int, path: Path, data: bytes, error: type[RecordError] = RecordError) -> None:
    """Append an entry to a file; once this returns, a kill of the process does not lose it.

    Args:
        file: the file's descriptor, opened with ``O_APPEND``.
        path: the file, for the error's text.
        data: the entry.
        error: the class of the error to raise.

    Raises:
        RecordError: if the disk has no room for all of it; the file is unchanged.
    """
    try:
        written = os.write(file, data)
    except OSError as e:
        raise error(f"{path}: expected to write {len(data)} bytes, the disk took none ({e})") from e
    if written != len(data):
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise error(
            f"{path}: expected to write {len(data)} bytes, the disk took {written}: make room on it"
        )


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file as ``append`` does; create the file if it is missing."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        append(file, path, line + b"\n")
    finally:
        os.close(file)

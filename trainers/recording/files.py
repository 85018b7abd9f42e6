"""The files in a session's folder that outlive a process: their names, and how they grow.

Each has one writer. A market's files begin with its symbol, as ``file_name`` writes it; the next
process that trains the market takes them over.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from streaming.errors import reason_of
from streaming.symbols import file_name
from trainers.recording.errors import RecordError

# Files of the session.
CONFIG = "config.json"
CONTROLS = "controls.jsonl"  # the requests of operators, which every trainer reads
SUMS = "sums.jsonl"  # the cycles of all markets that were combined into the session's metrics
OUTBOX = "outbox.jsonl"  # undelivered batches of the session's own run
TAPE = "tape"
SHARES = "shares.json"  # of a fleet: the markets of each shard, which a later head goes by
OURS = "epochs.json"  # of a fleet: the epochs under which this machine has its markets

# Files of a market: what follows its symbol.
DECISIONS = ".decisions.jsonl"
CHECKPOINT = ".checkpoint.pt"
MARKET_OUTBOX = ".outbox.jsonl"
RUNS = ".runs.json"
OUTCOMES, FORECASTS = ".outcomes", ".forecasts"

CANDIDATES = "candidates"  # a folder: learners on their way into the registry
RECORD = "record"  # the artifact folder of the session's run that holds its record

T = TypeVar("T")

FORMAT = 3  # 1: tickloop 0.1; 2: no quotes
JOURNAL = "journal.jsonl"  # a file of format 1, which tickloop 0.1 wrote


def of_market(session: Path, market: str, kind: str) -> Path:
    """Return the path of a market's file; ``kind`` is one of the endings, as ``CHECKPOINT``."""
    return session / f"{file_name(market)}{kind}"


def candidates_folder(session: Path, market: str) -> Path:
    """Return the folder of a market's candidates: a folder a learner, a file a cycle."""
    return session / CANDIDATES / file_name(market)


def waiting_candidates(session: Path, market: str) -> list[Path]:
    """Return the files of a market's candidates that are not champion yet."""
    return sorted(candidates_folder(session, market).glob("*/*.pt"))


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


def append(file: int, path: Path, data: bytes) -> None:
    """Append an entry to a file; once this returns, a kill of the process does not lose it.

    Args:
        file: the file's descriptor, opened with ``O_APPEND``.
        path: the file, for the error's text.
        data: the entry.

    Raises:
        OSError: if the disk does not take all of it, with the file's name; the file is unchanged.
    """
    try:
        written = os.write(file, data)
        if written != len(data):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as e:
        raise OSError(e.errno, e.strerror, str(path)) from e


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file as ``append`` does; create the file if it is missing.

    A last line that a kill or a power cut has torn is cut off first.
    """
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.ftruncate(file, path.read_bytes().rfind(b"\n") + 1)
        append(file, path, line + b"\n")
    finally:
        os.close(file)


def read_json(path: Path, kind: type[T], what: str, advice: str) -> T:
    """Return the value in a JSON file that was written whole.

    Args:
        path: the file.
        kind: the type of the value.
        what: the value in words, for the error's text.
        advice: ends the error's text: what to do.

    Raises:
        FileNotFoundError: if there is no such file.
        RecordError: if it holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (ValueError, RecursionError) as e:
        raise RecordError(
            f"{path}: expected {what} in JSON ({reason_of(e)}); it was cut off or changed: {advice}"
        ) from e


def json_lines(path: Path, kind: type[T], advice: str) -> list[T]:
    """Return the entries of a file of JSON lines, without a torn last line; none without a file.

    Args:
        path: the file.
        kind: the type of an entry.
        advice: ends the error's text: what is lost, and what to do.

    Raises:
        RecordError: if a line is no such entry.
    """
    *lines, _torn = path.read_bytes().split(b"\n") if path.exists() else (b"",)
    return [entry_of(path, line, kind, advice) for line in lines]


def entry_of(path: Path, line: bytes, kind: type[T], advice: str) -> T:
    """Return the entry in a line of a file of JSON lines; see ``json_lines``."""
    try:
        # Not msgspec's own decoder: metrics may be NaN, which JSON lacks and Python writes.
        return msgspec.convert(json.loads(line), kind)
    except (ValueError, RecursionError) as e:
        raise RecordError(
            f"{path}: expected an entry in each line, found {line[:60]!r}; it was changed since it"
            f" was written: {advice}"
        ) from e

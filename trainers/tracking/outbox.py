"""A file of the batches that MLflow has not taken yet: a killed process loses none of them.

    log -> outbox.jsonl -> delivered -> emptied

Batches are delivered in order, at least once. A second delivery does no harm: a metric has the time
and step of its cycle, and MLflow drops a point that it has already.
"""

from __future__ import annotations

import collections
import json
import os
import threading
from pathlib import Path
from typing import NamedTuple

from trainers.recording.files import append, json_lines

LOST = "move it away; MLflow then lacks what it holds, and only that"


class Batch(NamedTuple):
    """The metrics and tags of one ``log_batch`` call.

    Attributes:
        run: the run id.
        step: the step of all the metrics.
        wall_ms: the timestamp of all the metrics, ms since the Unix epoch.
        metrics: the metrics' values by name.
        tags: the tags' values by name.
        clears: tags to remove, by name, each only if it still has the value given here.
    """

    run: str
    step: int
    wall_ms: int
    metrics: dict[str, float]
    tags: dict[str, str]
    clears: dict[str, str]


class Outbox:
    """A queue of batches, kept in a file. Threads may share it.

    Args:
        path: the file, whose batches from an earlier process come first; None keeps the queue in
            memory only.

    Raises:
        RecordError: if the file is damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._queue: collections.deque[Batch] = collections.deque()
        self._file = None
        if path is not None:
            self._path = path
            self._queue.extend(left_in(path))
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            self._cut_torn_line(path)

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, batch: Batch) -> None:
        """Add a batch; once this returns, a kill of the process does not lose it.

        Raises:
            OSError: if the disk has no room for it; the file is unchanged.
        """
        with self._lock:
            if self._file is not None:
                append(self._file, self._path, json.dumps(batch).encode() + b"\n")
            self._queue.append(batch)

    def first(self) -> Batch | None:
        """Return the batch to deliver next; None if the queue is empty."""
        return self._queue[0] if self._queue else None

    def clearing(self) -> set[tuple[str, str]]:
        """Return the names and values of all tags that queued batches will remove."""
        with self._lock:
            return {pair for batch in self._queue for pair in batch.clears.items()}

    def delivered(self) -> None:
        """Remove the first batch from the queue; empty the file after the last."""
        with self._lock:
            self._queue.popleft()
            if not self._queue and self._file is not None:
                os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Close the file; the next outbox of the same path continues with its batches."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _cut_torn_line(self, path: Path) -> None:
        assert self._file is not None
        os.ftruncate(self._file, path.read_bytes().rfind(b"\n") + 1)


def left_in(path: Path) -> list[Batch]:
    """Return the batches in an outbox's file, oldest first, without a torn last line.

    Raises:
        RecordError: if a line is damaged.
    """
    return json_lines(path, Batch, LOST)

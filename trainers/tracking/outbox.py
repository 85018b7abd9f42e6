"""What MLflow has not taken yet, in a file: nothing that was logged is lost with the process.

    log -> outbox.jsonl -> delivered -> emptied

Batches are delivered in order, one or more times: a metric has the time and step of its cycle, and
MLflow drops a point that it has already.
"""

from __future__ import annotations

import collections
import json
import os
import threading
from pathlib import Path
from typing import NamedTuple


class Batch(NamedTuple):
    """One ``log_batch``.

    Attributes:
        run: its run id.
        step: of all its metrics.
        wall_ms: of all its metrics, Unix epoch.
        metrics: values by name.
        tags: values by name.
        clears: tags to remove, unless their value has become another.
    """

    run: str
    step: int
    wall_ms: int
    metrics: dict[str, float]
    tags: dict[str, str]
    clears: dict[str, str]


class Outbox:
    """A queue of batches; takes up those that an earlier process left. Safe between threads.

    Args:
        path: the file; None keeps the queue in memory alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._queue: collections.deque[Batch] = collections.deque()
        self._file = None
        if path is not None:
            self._queue.extend(left_in(path))
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            self._cut_torn_line(path)

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, batch: Batch) -> None:
        """Add a batch; it is safe from a kill of this process on return."""
        with self._lock:
            if self._file is not None:
                os.write(self._file, json.dumps(batch).encode() + b"\n")
            self._queue.append(batch)

    def first(self) -> Batch | None:
        """Return the batch to be delivered next."""
        return self._queue[0] if self._queue else None

    def clearing(self) -> set[tuple[str, str]]:
        """Return the tags, with their values, that are still to be removed."""
        with self._lock:
            return {pair for batch in self._queue for pair in batch.clears.items()}

    def delivered(self) -> None:
        """Forget the first batch; the file is emptied with the last."""
        with self._lock:
            self._queue.popleft()
            if not self._queue and self._file is not None:
                os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Let go of the file; what is in it is taken up by the next one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _cut_torn_line(self, path: Path) -> None:
        assert self._file is not None
        os.ftruncate(self._file, path.read_bytes().rfind(b"\n") + 1)


def left_in(path: Path) -> list[Batch]:
    """Return the batches in an outbox's file, oldest first; a torn last one is left out."""
    if not path.exists():
        return []
    *whole, _torn = path.read_bytes().split(b"\n")
    return [Batch(*json.loads(line)) for line in whole]

"""A file of the batches that MLflow has not taken yet: a killed process loses none of them.

    log -> outbox.jsonl -> delivered -> emptied

The batches of a run are delivered in order, at least once. A second delivery does no harm: a metric
has the time and step of its cycle, and MLflow drops a point that it has already.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trainers.recording.files import append, json_lines

# MLflow takes at most 1,000 entries in one request, and 100 tags.
MOST_METRICS, MOST_TAGS = 900, 100
LOOK_AHEAD = 100  # batches: the queue grows while the store is away

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

    def next(self, most: int = LOOK_AHEAD) -> list[Batch]:
        """Return the batches to deliver next, oldest first, all of one run; empty if there is none.

        They fit into one request: where the store is slower than the batches come, it has fewer
        requests to answer.

        Args:
            most: how many batches are looked at, the oldest ones.
        """
        with self._lock:
            found: list[Batch] = []
            metrics, tags = 0, set[str]()
            for batch in itertools.islice(self._queue, min(most, LOOK_AHEAD)):
                if found and batch.run != found[0].run:
                    continue
                metrics, tags = metrics + len(batch.metrics), tags | batch.tags.keys()
                too_many = metrics > MOST_METRICS or len(tags) > MOST_TAGS
                if found and (batch.clears or too_many):
                    break
                found.append(batch)
                if batch.clears:
                    break
            return found

    def clearing(self) -> set[tuple[str, str]]:
        """Return the names and values of all tags that queued batches will remove."""
        with self._lock:
            return {pair for batch in self._queue for pair in batch.clears.items()}

    def delivered(self, batches: Sequence[Batch]) -> None:
        """Remove what ``next`` has returned from the queue; empty the file after the last."""
        gone = {id(batch) for batch in batches}
        with self._lock:
            looked_at = [self._queue.popleft() for _ in range(min(LOOK_AHEAD, len(self._queue)))]
            self._queue.extendleft(one for one in reversed(looked_at) if id(one) not in gone)
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

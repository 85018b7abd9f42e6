"""How often MLflow is read: the less often the longer that takes."""

from __future__ import annotations

import time
from typing import Self

# A read is followed by this many times the CPU time that it took: the runs of a hundred markets
# take a fifth of a second.
REST = 50.0


class Pause:
    """The time between two reads: longer where one takes long, so that they stay 2 % of a core.

    ``with pause:`` is around a read; it begins if nothing was raised.

    Args:
        seconds: the shortest.
        rest: how many times as long as the CPU time of the read.
    """

    def __init__(self, seconds: float = 0.0, rest: float = REST) -> None:
        self.seconds, self.rest = seconds, rest
        self._began = self._until = 0.0

    @property
    def over(self) -> bool:
        """Whether it is time to read again."""
        return time.monotonic() >= self._until

    def end(self) -> None:
        """Let the next read be now."""
        self._until = 0.0

    def __enter__(self) -> Self:
        self._began = time.thread_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            took = time.thread_time() - self._began
            self._until = time.monotonic() + max(self.seconds, self.rest * took)

"""Decides when a process that died is started again, and when to give it up."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from streaming.program.backoff import full_jitter

# A process that lived this long is proven: its backoff and its count of failures start again.
PROVEN_SECONDS = 60.0

# A process that fails so often in a row, each time before it is proven, is given up. Being ended by
# a signal is no failure: a process that was killed is always started again.
MOST_FAILURES = 6
SIGNALLED = 128  # exit codes above it say which signal, see ``code_after``

FIRST_SECONDS, MOST_SECONDS = 0.5, 15.0  # the first and the highest limit of the backoff

# The exit code of a process that has given up its child (EX_SOFTWARE of sysexits.h).
GAVE_UP = 70


class Restarts:
    """The backoff and the count of failures of one process."""

    def __init__(self) -> None:
        self._delays = _delays()
        self._started = self._start_at = 0.0
        self._failures = 0

    def started(self) -> None:
        """Note that the process was started now."""
        self._started = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the backoff is over, so that the process may start again."""
        return time.monotonic() >= self._start_at

    def hopeless(self, code: int) -> bool:
        """Count an exit with ``code``, negative after a signal; return whether to give up."""
        signalled = code < 0 or code > SIGNALLED
        self._failures = 0 if self._proven or signalled else self._failures + 1
        return self._failures >= MOST_FAILURES

    def later(self) -> float:
        """Begin the backoff after an exit; return its length, s."""
        if self._proven:
            self._delays = _delays()
        delay = next(self._delays)
        self._start_at = time.monotonic() + delay
        return delay

    @property
    def _proven(self) -> bool:
        return time.monotonic() - self._started >= PROVEN_SECONDS


def _delays() -> Iterator[float]:
    return full_jitter(random.Random(), base=FIRST_SECONDS, cap=MOST_SECONDS)


def how_it_ended(code: int) -> str:
    """Return an exit code in words; negative after a signal.

    >>> how_it_ended(-9), how_it_ended(1)
    ('signal 9', 'code 1')
    """
    return f"signal {-code}" if code < 0 else f"code {code}"

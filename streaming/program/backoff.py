"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator


def full_jitter(rng: random.Random, *, base: float = 0.25, cap: float = 30.0) -> Iterator[float]:
    """Yield delays in seconds: uniform from 0 to an upper limit that doubles up to ``cap``.

    Source: M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
    """
    limit = base
    while True:
        yield rng.uniform(0, limit)
        limit = min(cap, 2 * limit)


def retry_after_seconds(header: str | None, default: float) -> float:
    """Return the seconds of a ``Retry-After`` header; ``default`` if it has no number of them.

    >>> retry_after_seconds("3", 10.0), retry_after_seconds(None, 10.0)
    (3.0, 10.0)
    >>> retry_after_seconds("Fri, 31 Dec 1999 23:59:59 GMT", 10.0)
    10.0
    """
    try:
        seconds = float(header or "")
    except ValueError:
        return default
    return seconds if 0 <= seconds < math.inf else default


class ConnectBudget:
    """At most ``limit`` attempts in ``window`` seconds; venues ban addresses that try more.

    Half of Binance's 300 attempts in 5 min.
    """

    def __init__(self, limit: int = 150, window: float = 300.0) -> None:
        self.limit, self.window = limit, window
        self._attempts: deque[float] = deque(maxlen=limit)

    def wait(self, now: float) -> float:
        """Return the seconds to wait at ``now`` (monotonic) before an attempt is allowed."""
        if len(self._attempts) < self.limit:
            return 0.0
        return max(0.0, self._attempts[0] + self.window - now)

    def spend(self, now: float) -> None:
        """Count an attempt made at ``now``, monotonic."""
        self._attempts.append(now)

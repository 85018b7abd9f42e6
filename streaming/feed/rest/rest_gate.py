"""How much may be asked of a venue, and when. Pure: times are arguments.

Venues count what an address asks in a while and ban those that go on after a refusal. So all
markets of a venue ask through one gate.
"""

from __future__ import annotations

from collections import deque

from streaming.venues import RestLimit

SHARE = 0.8  # of the venue's limit: other programs may ask from the same address


class RestGate:
    """Tells when the next request may be made.

    Args:
        limit: the venue's.
    """

    def __init__(self, limit: RestLimit) -> None:
        self._limit = max(1, int(SHARE * limit.weight))
        self._seconds = limit.seconds
        self._spent: deque[tuple[float, int]] = deque()  # (when, weight)
        self._closed_until = -1.0
        self.reason = ""  # why one has to wait

    def wait(self, weight: int, now: float) -> float:
        """Return the seconds from ``now`` until a request of ``weight`` may be made."""
        if now < self._closed_until:
            return self._closed_until - now
        over = self._used(now) + weight - self._limit
        if over <= 0:
            return 0.0
        self.reason = "the venue's limit of requests is used up"
        for when, freed in self._spent:
            over -= freed
            if over <= 0:
                return when + self._seconds - now
        return 0.0  # a request heavier than the limit: the venue must know

    def spend(self, weight: int, now: float) -> None:
        """Count a request whose reply came at ``now``."""
        self._spent.append((now, weight))

    def reported(self, used: int, now: float) -> None:
        """Take the venue's own count, of everybody at this address, if it is higher."""
        if (unseen := used - self._used(now)) > 0:
            self.spend(unseen, now)

    def close(self, seconds: float, now: float, reason: str) -> None:
        """Let nothing pass for a while: the venue has refused somebody."""
        self._closed_until = max(self._closed_until, now + seconds)
        self.reason = reason

    def _used(self, now: float) -> int:
        while self._spent and self._spent[0][0] <= now - self._seconds:
            self._spent.popleft()
        return sum(weight for _, weight in self._spent)

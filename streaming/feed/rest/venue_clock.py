"""The venue's clock, as far as this process can know it: how far it is from ours.

A trade is judged by the venue's clock, as ours may be off by hours, or be set while we run. So the
venue's is carried on by a clock that nobody sets: ``steady_ns`` reads it, all else takes times as
arguments.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from streaming.ticks import MAX_AHEAD_NS, NS_PER_S

# Before the venue's clock is known, only the absurd is refused. Ours cannot be off by more: no
# venue's certificate would hold.
UNKNOWN_AHEAD_NS = 30 * 24 * 3600 * NS_PER_S

WORTH_SAYING_NS = NS_PER_S

STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's monotonic one is as good


class VenueClock(NamedTuple):
    """The venue's time at one moment here, and how fast it runs.

    Attributes:
        steady: the moment of the reading, ns of a clock that nobody sets.
        venue: the venue's time then, ns, Unix epoch.
        rate: venue seconds a second; not 1 only for simulated markets and tapes.
    """

    steady: int
    venue: int
    rate: float

    def at(self, steady: int) -> int:
        """Return the venue's time at a moment here, ns."""
        return self.venue + int((steady - self.steady) * self.rate)

    def lag_us(self, ts_event: int, received: int) -> float:
        """Return how long a trade took from the venue to here, in us of our clock.

        Never below 0: venue clocks come in ms, and the reading has the network's jitter.

        Args:
            ts_event: the trade's time, ns.
            received: when it was received, ns of the steady clock.
        """
        return max(0.0, (self.at(received) - ts_event) / self.rate / 1000)


def midpoint(sent: int, received: int, venue: int, rate: float) -> VenueClock:
    """Return the venue's clock, whose time was read halfway between request and reply.

    Source: D. Mills, RFC 5905 (NTP), section 8.
    """
    return VenueClock((sent + received) // 2, venue, rate)


def latest_time(clock: VenueClock | None, steady: int, wall: int) -> int:
    """Return the latest time that a trade received now can have, ns.

    Args:
        clock: the venue's; None if it is not known yet.
        steady: now, ns of the clock that nobody sets.
        wall: now by our clock, ns, Unix epoch.
    """
    return wall + UNKNOWN_AHEAD_NS if clock is None else clock.at(steady) + MAX_AHEAD_NS


class ClockReport:
    """Says how far our clock is off: once it is worth saying, and again when that changes."""

    def __init__(self) -> None:
        self._said = 0

    def text(self, ours: int, venues: int, error: int) -> str:
        """Return what to say, mostly "".

        Args:
            ours: our time, ns.
            venues: the venue's at the same moment, ns.
            error: by how much the reading may be wrong, ns.
        """
        behind = venues - ours
        if abs(behind - self._said) <= WORTH_SAYING_NS + error:
            return ""
        self._said = behind if abs(behind) > WORTH_SAYING_NS + error else 0
        if not self._said:
            return "our clock agrees with the venue's again"
        side = "behind" if behind > 0 else "ahead of"
        return (
            f"our clock is {abs(behind) / NS_PER_S:,.1f} s {side} the venue's, which is followed;"
            " set ours (NTP)"
        )


def steady_ns() -> int:
    """Return ns of a clock that nobody sets and that runs while the machine sleeps."""
    return time.clock_gettime_ns(STEADY)

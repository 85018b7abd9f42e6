"""The venue's clock, as far as this process can know it. Pure: the feed reads the wall clock."""

from __future__ import annotations

from typing import NamedTuple


class VenueClock(NamedTuple):
    """The venue's time at one moment here, and how fast it runs.

    Attributes:
        local: our time of the reading, ns, Unix epoch.
        venue: the venue's time then, ns.
        rate: venue seconds a second; not 1 only for simulated markets and tapes.
    """

    local: int
    venue: int
    rate: float

    def lag_us(self, ts_event: int, ts_init: int) -> float:
        """Return how long a trade took from the venue to here, in us of our clock.

        Never below 0: venue clocks come in ms, and the reading has the network's jitter.
        """
        at_venue = self.venue + (ts_init - self.local) * self.rate
        return max(0.0, (at_venue - ts_event) / self.rate / 1000)


def midpoint(sent: int, received: int, venue: int, rate: float) -> VenueClock:
    """Return the venue's clock, whose time was read halfway between request and reply.

    Source: D. Mills, RFC 5905 (NTP), section 8.
    """
    return VenueClock((sent + received) // 2, venue, rate)

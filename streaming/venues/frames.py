"""A venue whose frames are decoded one by one, as most send few enough."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from streaming.venues import Decoded, Venue
from streaming.venues.gathering import UNREADABLE, Gathered, Updates


class FrameVenue(Venue):
    """See ``Venue``; remembers the newest update of each book.

    Attributes:
        max_frame_bytes: a larger frame is none of the venue's.
        one_order: whether trades and quotes come over one connection.
    """

    max_frame_bytes: ClassVar[int] = 64 * 1024
    one_order: ClassVar[bool] = True

    @functools.cached_property
    def _updates(self) -> Updates:
        return Updates()

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int], latest: int) -> Decoded:
        """Decode frames received at ``stamps``; no trade is later than ``latest`` (ns)."""
        found = Gathered(self.markets, self._updates)
        for frame, stamp in zip(frames, stamps, strict=True):
            if len(frame) > self.max_frame_bytes:
                found.reject("oversized")
                continue
            try:
                self._take(frame, stamp, found)
            except UNREADABLE:
                found.reject("malformed")
        return found.decoded(latest, one_order=self.one_order)

    @abstractmethod
    def _take(self, frame: bytes, stamp: int, found: Gathered) -> None:
        """Put what a frame has into ``found``; raise ``ValueError`` if it cannot be read."""

"""What a venue is to the feed: addresses, a decoder of its frames, parsers of its REST replies.

All of it is pure: text in, ticks out; no socket, no clock. A venue is one file, and its wire format
may be another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streaming.ticks import Ticks


class Decoded(NamedTuple):
    """What a batch of frames contained."""

    ticks: dict[str, Ticks]  # by symbol, in the order received
    rejected: Counter[tuple[str, str]]  # (symbol or "", reason) -> frames dropped
    reconnect: str  # why the venue wants a new connection; "" if it does not


class Venue(Protocol):
    """A venue's wire format."""

    name: str

    def stream_url(self) -> str:
        """Return the websocket address that streams every symbol's trades."""

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int]) -> Decoded:
        """Decode frames received at ``stamps`` (ns); count wrong ones instead of raising."""

    def history_url(self, symbol: str, first_id: int, limit: int) -> str:
        """Return the REST address of up to ``limit`` trades from ``first_id`` on."""

    def parse_history(self, body: bytes, ts_init: int) -> Ticks:
        """Decode a reply of ``history_url``; raise ``ValueError`` if it is not one."""

    def time_url(self) -> str:
        """Return the REST address of the venue's clock."""

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns; raise ``ValueError`` if the reply is not one."""

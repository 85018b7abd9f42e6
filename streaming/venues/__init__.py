"""What a venue is to the feed: addresses, a decoder of its frames, parsers of its REST replies.

All of it is pure: text in, ticks out; no socket, no clock. A venue is one file, and its wire format
may be another; ``venues.registry`` makes the one that a session's settings name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streaming.quotes import Quotes
from streaming.ticks import Ticks

Rejected = Counter[tuple[str, str]]  # (symbol or "", reason) -> messages dropped


class Decoded(NamedTuple):
    """What a batch of frames contained."""

    ticks: dict[str, Ticks]  # by symbol, in the order received
    rejected: Rejected
    reconnect: str  # why the venue wants a new connection; "" if it does not
    # Every update of a symbol's best bid and ask, in the order received; ``after`` counts the ticks
    # of the same batch that came before it.
    quotes: dict[str, Quotes] = {}  # noqa: RUF012  (never changed)
    # Up to when, ns of the venue's clock, all trades of a symbol have come: what it says itself.
    complete: dict[str, int] = {}  # noqa: RUF012


class Request(NamedTuple):
    """A GET of a venue's REST interface."""

    url: str
    weight: int  # how much of the venue's limit it uses up


class Refusal(NamedTuple):
    """Why a venue has not answered a request."""

    text: str  # "" if it does not say
    unknown_symbol: bool


class Venue(Protocol):
    """A venue's wire format.

    Attributes:
        name: as people write it.
        weight_a_minute: the weight of requests that it allows an address in a minute.
        used_weight: the header of a reply that says how much of it is used up, by anybody.
    """

    name: str
    weight_a_minute: int
    used_weight: str

    def stream_url(self) -> str:
        """Return the websocket address that streams every symbol's trades."""

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int], latest: int) -> Decoded:
        """Decode frames; count wrong ones instead of raising.

        Args:
            frames: as received.
            stamps: when each was received, ns.
            latest: the latest time that a trade can have, ns.
        """

    def history_request(self, symbol: str, first_id: int | None, limit: int) -> Request:
        """Return the request for ``limit`` trades from ``first_id`` on, or for the newest."""

    def parse_history(
        self, symbol: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``; raise ``ValueError`` if it is not one."""

    def time_request(self) -> Request:
        """Return the request for the venue's clock."""

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns; raise ``ValueError`` if the reply is not one."""

    def symbol_request(self, symbol: str) -> Request:
        """Return a request that the venue refuses for a symbol that it does not have."""

    def parse_refusal(self, body: bytes) -> Refusal:
        """Return why the venue has refused a request; any text may come."""

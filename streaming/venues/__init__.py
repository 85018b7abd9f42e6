"""What a venue is to the feed: addresses, a decoder of its frames, parsers of its REST replies.

All of it is pure: text in, ticks and quotes out; no socket, no clock. A venue is one file and a
line in ``venues.registry``. Markets have names of ours (``coinbase:BTC-USD``); how a venue spells
them, and where, its file alone knows.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from streaming.quotes import Quotes
from streaming.symbols import upper
from streaming.ticks import Ticks, make_ticks

Rejected = Counter[tuple[str, str]]  # (market or "", reason) -> messages dropped


class Decoded(NamedTuple):
    """What a batch of frames contained."""

    ticks: dict[str, Ticks]  # by market, in the order received
    rejected: Rejected
    reconnect: str  # why the venue wants a new connection; "" if it does not
    # Every update of a market's best bid and ask, in the order received; ``after`` counts the ticks
    # of the same batch that came before it.
    quotes: dict[str, Quotes] = {}  # noqa: RUF012  (never changed)
    # Up to when, ns of the venue's clock, all trades of a market have come: what it says itself.
    complete: dict[str, int] = {}  # noqa: RUF012
    # The id of a market's newest trade, where the venue tells it apart from the trade.
    newest: dict[str, int] = {}  # noqa: RUF012
    refused: tuple[str, ...] = ()  # what it will not send us, in its words


class RestRequest(NamedTuple):
    """A GET of a venue's REST interface."""

    url: str
    weight: int  # how much of the venue's limit it uses up


class Refusal(NamedTuple):
    """Why a venue has not answered a request."""

    text: str  # "" if it does not say
    unknown_symbol: bool
    too_many: bool = False  # it was asked too often, whatever the HTTP status says


class Span(NamedTuple):
    """Which trades are asked for.

    Attributes:
        first: the lowest id wanted; None if that is not known.
        last: the highest; None for the newest there is.
        since: event time, ns, before all that are wanted; for venues that page by time.
    """

    first: int | None
    last: int | None
    since: int


class Paging(enum.Enum):
    """How a venue gives out older trades."""

    BY_ID = "by id"  # of any page wanted
    BY_TIME = "by time"  # from a time on, upward
    NEWEST = "the newest only"


class Route(NamedTuple):
    """Where a stream may be had, and what to send on connecting."""

    url: str
    hello: tuple[str, ...] = ()


class Link(NamedTuple):
    """One websocket connection of a venue.

    Attributes:
        carries: what comes over it, in words.
        routes: where it can be had, the best first: venues move their streams, and where they
            were, subscriptions are acknowledged and nothing comes.
    """

    carries: str
    routes: tuple[Route, ...]


class RestLimit(NamedTuple):
    """What a venue allows an address to ask: ``weight`` in ``seconds``.

    Attributes:
        used_header: the header of a reply that says how much is used up, by anybody.
    """

    weight: int
    seconds: float
    used_header: str = ""


class Terms(NamedTuple):
    """What a venue asks of its clients, and what it promises.

    Attributes:
        limit: the limit of its REST requests.
        connects: attempts to connect that are made at most, in so many seconds: half of what the
            venue allows.
        page: trades that a request may ask for.
        paging: how older trades are asked for.
        proof: whether a lost trade shows in the ids. Where not, ids are our own count, and one is
            left out where the newest trades of REST do not join those that have come.
        taker_fee_bps: the fee of a taker without discounts, bp.
        ping: a text to send now and then; "" for none.
        ping_s: how often.
        silent_s: a connection that brings nothing at all for so long is broken, as the venue sends
            heartbeats or answers pings.
        lifetime_s: after which the venue ends a connection.
        whole_seconds: whether its clock is told in whole seconds.
    """

    limit: RestLimit
    connects: tuple[int, float]
    page: int
    taker_fee_bps: float
    paging: Paging = Paging.BY_ID
    proof: bool = True
    ping: str = ""
    ping_s: float = math.inf
    silent_s: float = math.inf
    lifetime_s: float = math.inf
    whole_seconds: bool = False


class Venue(ABC):
    """A venue's wire format, for some of its markets.

    Args:
        markets: names of ours by which the venue's spelling is given; or just the spellings.
        ws: base address of the streams, if the host is not the public one.
        rest: base address of REST, if the host is not the public one.
        quotes: whether best bid and ask are wanted.

    Attributes:
        name: as people write it.
        example: a symbol as the venue spells it.
        symbols: the venue's spelling of each market.
        unsized: markets whose contract size is to be asked for before anything is decoded.
    """

    name: ClassVar[str]
    terms: Terms
    ws_public: ClassVar[str]
    rest_public: ClassVar[str]
    example: ClassVar[str]

    def __init__(
        self,
        markets: Iterable[str] | Mapping[str, str],
        *,
        ws: str = "",
        rest: str = "",
        quotes: bool = True,
    ) -> None:
        given = markets if isinstance(markets, Mapping) else {name: name for name in markets}
        self.symbols = {market: self.spelled(symbol) for market, symbol in given.items()}
        self.markets = {symbol: market for market, symbol in self.symbols.items()}
        self.unsized: set[str] = set()
        self.quotes = quotes
        self._ws = (ws or self.ws_public).rstrip("/")
        self._rest = (rest or self.rest_public).rstrip("/")

    @staticmethod
    def spelled(symbol: str) -> str:
        """Return a symbol as the venue spells it in its messages."""
        return upper(symbol)

    @abstractmethod
    def links(self) -> list[Link]:
        """Return the connections that stream every market."""

    @abstractmethod
    def decode(self, frames: Sequence[bytes], stamps: Sequence[int], latest: int) -> Decoded:
        """Decode frames; count wrong ones instead of raising.

        Args:
            frames: as received.
            stamps: when each was received, ns.
            latest: the latest time that a trade can have, ns.
        """

    @abstractmethod
    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades of ``span``, the newest if it is open."""

    @abstractmethod
    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``, in any order.

        Rows that break an invariant are ``VOID``; those without a readable id are left out.

        Raises:
            ValueError: if it is no such reply.
        """

    @abstractmethod
    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""

    @abstractmethod
    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns; raise ``ValueError`` if the reply is not one."""

    def symbol_request(self, market: str) -> RestRequest:
        """Return a request that the venue refuses for a symbol that it does not have."""
        return self.history_request(market, Span(None, None, 0), 1)

    def take_symbol(self, market: str, body: bytes) -> None:  # noqa: B027  (most need nothing)
        """Learn from a reply of ``symbol_request`` what decoding needs.

        Raises:
            ValueError: if it is no such reply.
        """

    def resume(self, market: str, kept: Ticks) -> None:  # noqa: B027  (ids of most need nothing)
        """Go on behind the trades of a market that are kept already, ``(n,)``."""

    def hold(self, market: str) -> None:  # noqa: B027  (ids of most prove a loss)
        """Hold a market's trades back: of those that were missed, its ids tell nothing."""

    def holds(self, market: str) -> bool:
        """Return whether a market's trades are held back."""
        return False

    def release(self, market: str, streamed_only: bool) -> Ticks:
        """Return the trades held back, ``(n,)``, behind those from before them that REST showed.

        Args:
            market: whose trades.
            streamed_only: go on holding if none was streamed yet.
        """
        return make_ticks(0)

    @abstractmethod
    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why the venue has refused a request, None if it has not; any text may come."""

"""Binance spot: frames of trades and quotes, and REST replies -> ticks and quotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import numpy as np

from streaming.quotes import Quotes
from streaming.symbols import lower, upper
from streaming.ticks import NS_PER_MS, NS_PER_US, REPAIRED, US_FROM, Ticks, make_ticks
from streaming.venues import (
    Decoded,
    Link,
    Refusal,
    Rejected,
    RestLimit,
    RestRequest,
    Route,
    Span,
    Terms,
    Venue,
)
from streaming.venues.binance_books import complete_until, quotes_by_symbol, sort_frames
from streaming.venues.binance_messages import (
    AggTrade,
    Combined,
    CombinedAgg,
    Decoders,
    Error,
    Event,
    RestAggTrade,
    RestRow,
    RestTrade,
    Time,
    Trade,
    decode_frames,
    not_market,
    read_rows,
    ticks_of,
    what_is,
)
from streaming.venues.gathering import UNREADABLE, Updates, mark_void, order_by_time
from streaming.venues.replies import checked_time

# A trade is about 200 bytes; a much larger frame is not one.
MAX_FRAME_BYTES = 64 * 1024

# What requests weigh (rest-api.md).
TIME_WEIGHT, AGG_TRADES_WEIGHT, TRADES_WEIGHT, INFO_WEIGHT = 1, 4, 25, 20

USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"  # the header that says how much of it has been asked

# Codes of errors.md. Only a symbol can have characters that are not allowed.
INVALID_SYMBOL, ILLEGAL_CHARACTERS = -1121, -1100
NEEDS_KEY = (-2014, -2015)

TIME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Time)
ERROR: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Error)


class Binance(Venue):
    """Binance spot, and what other venues have in common with it.

    Args:
        markets: see ``Venue``.
        channel: ``trade`` or ``aggTrade``.
        ws: base address of the streams, if the host is not the public one.
        rest: base address of REST, if the host is not the public one.
        quotes: whether best bid and ask are wanted.
    """

    name, example = "binance", "BTCUSDT"
    ws_public, rest_public = "wss://stream.binance.com:9443", "https://api.binance.com"
    terms = Terms(
        limit=RestLimit(6000, 60.0, USED_WEIGHT),
        connects=(150, 300.0),
        page=1000,
        taker_fee_bps=10.0,
        lifetime_s=24 * 3600.0,
    )
    one_order: ClassVar[bool] = True  # trades and quotes come over one connection

    def __init__(
        self,
        markets: Iterable[str] | Mapping[str, str],
        *,
        channel: str = "trade",
        ws: str = "",
        rest: str = "",
        quotes: bool = True,
    ) -> None:
        super().__init__(markets, ws=ws, rest=rest, quotes=quotes)
        self.channel = channel
        self._updates = Updates()
        agg = channel == "aggTrade"
        self._combined = Decoders.of(CombinedAgg if agg else Combined, strict=False)
        self._raw: msgspec.json.Decoder[Event] = msgspec.json.Decoder(
            AggTrade if agg else Trade, strict=False
        )
        self._row: type[RestRow] = RestAggTrade if agg else RestTrade

    def links(self) -> list[Link]:
        """Return the one connection, a combined stream of all symbols."""
        channels = [self.channel, *["bookTicker"] * self.quotes]
        carries = "trades and quotes" if self.quotes else "trades"
        return [Link(carries, (self._route("/stream", channels),))]

    def _route(self, path: str, channels: Sequence[str]) -> Route:
        names = [quote(lower(symbol), safe="") for symbol in self.symbols.values()]
        streams = "/".join(f"{name}@{channel}" for name in names for channel in channels)
        return Route(f"{self._ws}{path}?streams={streams}")

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades from the first of ``span`` on."""
        agg = self.channel == "aggTrade"
        path = "aggTrades" if agg else "historicalTrades"
        since = "" if span.first is None else f"&fromId={span.first}"
        return RestRequest(
            f"{self._rest}/api/v3/{path}?symbol={self._in_query(market)}{since}&limit={limit}",
            AGG_TRADES_WEIGHT if agg else TRADES_WEIGHT,
        )

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}/api/v3/time", TIME_WEIGHT)

    def symbol_request(self, market: str) -> RestRequest:
        """Return the request for what the venue knows of a symbol."""
        url = f"{self._rest}/api/v3/exchangeInfo?symbol={self._in_query(market)}"
        return RestRequest(url, INFO_WEIGHT)

    def _in_query(self, market: str) -> str:
        return quote(upper(self.symbols[market]), safe="")

    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``."""
        rejected: Rejected = Counter()
        rows = read_rows(self._row, market, body, rejected)
        ticks = ticks_of(rows, [ts_init] * len(rows))
        ticks["flags"] = REPAIRED
        return mark_void(self._in_base(market, ticks), market, rejected, latest), rejected

    def _in_base(self, market: str, ticks: Ticks) -> Ticks:
        """Return ticks with sizes in base currency; changed in place."""
        return ticks

    def parse_time(self, body: bytes) -> int:
        """Return the venue's clock, ns."""
        try:
            time: int = TIME.decode(body).serverTime
        except RecursionError as e:
            raise ValueError("nested too deep") from e
        time *= NS_PER_US if time >= US_FROM else NS_PER_MS
        return checked_time(time)

    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why a request was refused; "" for a page of a proxy or a firewall."""
        if status < 300:
            return None
        try:
            error: Error = ERROR.decode(body)
        except UNREADABLE:
            return Refusal("", unknown_symbol=False)
        text = f"{error.msg} ({error.code})"
        if error.code in NEEDS_KEY and self.channel != "aggTrade":
            text += "; --channel aggTrade needs no key"
        return Refusal(text, error.code in (INVALID_SYMBOL, ILLEGAL_CHARACTERS))

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int], latest: int) -> Decoded:
        """Decode frames received at ``stamps``; no trade is later than ``latest`` (ns)."""
        rejected: Rejected = Counter()
        kinds = sort_frames(frames)
        events, places, reconnect = self._events(frames, kinds.trades, rejected)
        ticks, tick_places = {}, {}
        for market, (mine, at) in self._by_market(events, places, rejected).items():
            found = self._in_base(market, ticks_of(mine, [stamps[place] for place in at]))
            ticks[market] = mark_void(found, market, rejected, latest, not_market(mine))
            tick_places[market] = at
        quotes = {}
        for market, (rows, at) in quotes_by_symbol(
            frames, stamps, kinds.books, self.markets, rejected
        ).items():
            rows["after"] = np.searchsorted(tick_places.get(market, []), at)
            if not self.one_order:
                order_by_time(rows, ticks.get(market, make_ticks(0)))
            quotes[market] = self._fresh(market, rows)
        complete = complete_until(frames, kinds.marks, self.markets, rejected)
        return Decoded(ticks, rejected, reconnect, quotes, complete)

    def _fresh(self, market: str, quotes: Quotes) -> Quotes:
        """Return the quotes that have not come before, over another connection."""
        return self._updates.fresh(market, quotes)

    def _events(
        self, frames: Sequence[bytes], places: Sequence[int], rejected: Rejected
    ) -> tuple[Sequence[Event], Sequence[int], str]:
        """Return the trades in the frames at ``places``, the place of each, and ``reconnect``."""
        mine = [frames[place] for place in places]
        if max(map(len, mine), default=0) <= MAX_FRAME_BYTES:
            events = decode_frames(self._combined, mine)
            if None not in events:
                return events, places, ""
        return self._decode_each(mine, places, rejected)  # one of them is not a trade

    def _by_market(
        self,
        events: Sequence[Event],
        places: Sequence[int],
        rejected: Rejected,
    ) -> dict[str, tuple[Sequence[Event], Sequence[int]]]:
        """Group trades by market and count the foreign ones; usually all are of one."""
        n = len(events)
        kinds, names = [event.e for event in events], [event.s for event in events]
        name = names[0] if n else ""
        if name in self.markets and kinds.count(self.channel) == n and names.count(name) == n:
            return {self.markets[name]: (events, places)}
        groups: dict[str, tuple[list[Event], list[int]]] = {}
        for event, place in zip(events, places, strict=True):
            if event.e != self.channel:
                rejected["", "not_trade"] += 1
            elif event.s not in self.markets:
                rejected["", "foreign_symbol"] += 1
            else:
                mine, at = groups.setdefault(self.markets[event.s], ([], []))
                mine.append(event)
                at.append(place)
        return dict(groups)

    def _decode_each(
        self,
        frames: Sequence[bytes],
        places: Sequence[int],
        rejected: Rejected,
    ) -> tuple[list[Event], list[int], str]:
        events: list[Event] = []
        kept: list[int] = []
        reconnect = ""
        for frame, place in zip(frames, places, strict=True):
            event = self._decode_one(frame)
            if not isinstance(event, str):
                events.append(event)
                kept.append(place)
            elif event == "serverShutdown":
                reconnect = "the venue announced a shutdown"
            elif event:
                rejected["", event] += 1
        return events, kept, reconnect

    def _decode_one(self, frame: bytes) -> Event | str:
        """Return the trade, or why the frame is none; "" for replies to our own requests."""
        if len(frame) > MAX_FRAME_BYTES:
            return "oversized"
        try:
            event: Event = self._combined.one.decode(frame).data
            return event
        except UNREADABLE:
            pass
        try:
            return self._raw.decode(frame)
        except UNREADABLE:
            return what_is(frame, self.channel)

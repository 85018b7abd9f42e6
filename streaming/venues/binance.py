"""Binance spot: frames of trades and quotes, and REST replies -> ticks and quotes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np

from streaming.symbols import lower, upper
from streaming.ticks import NS_PER_MS, NS_PER_US, OLDEST_TS, REPAIRED, US_FROM, Ticks
from streaming.venues import Decoded, Refusal, Rejected, Request
from streaming.venues.binance_books import complete_until, quotes_by_symbol, sort_frames
from streaming.venues.binance_messages import (
    UNREADABLE,
    AggTrade,
    Combined,
    CombinedAgg,
    Error,
    Event,
    RestAggTrade,
    RestRow,
    RestTrade,
    Time,
    Trade,
    mark_void,
    not_market,
    read_rows,
    ticks_of,
    what_is,
)

WS_PUBLIC = "wss://stream.binance.com:9443"
REST_PUBLIC = "https://api.binance.com"

# A trade is about 200 bytes; a much larger frame is not one.
MAX_FRAME_BYTES = 64 * 1024

# What an address may ask for in a minute, and what requests weigh (rest-api.md).
WEIGHT_A_MINUTE = 6000
TIME_WEIGHT, AGG_TRADES_WEIGHT, TRADES_WEIGHT, INFO_WEIGHT = 1, 4, 25, 20

# Codes of errors.md. Of what we send, only a symbol can have characters that are not allowed.
INVALID_SYMBOL, ILLEGAL_CHARACTERS = -1121, -1100
NEEDS_KEY = (-2014, -2015)

NEWEST_TS = 2**62  # ns; of the year 2116

TIME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Time)
ERROR: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Error)


class Binance:
    """Binance, for one set of symbols.

    Args:
        symbols: in any spelling; the venue's is upper case, as far as letters are ASCII.
        channel: ``trade`` or ``aggTrade``.
        ws: base address of the streams, if the host is not the public one.
        rest: base address of REST, if the host is not the public one.
        limited: whether requests have a limit.
        beside: the channels of each symbol beside that of its trades.
    """

    name = "binance"
    used_weight = "X-MBX-USED-WEIGHT-1M"

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        channel: str = "trade",
        ws: str = "",
        rest: str = "",
        limited: bool = True,
        beside: Sequence[str] = (),
    ) -> None:
        self.symbols = tuple(symbols)
        # Ours by the venue's spelling; a recorded market may have kept ours.
        self._ours = {upper(symbol): symbol for symbol in symbols}
        self._ours |= {symbol: symbol for symbol in symbols}
        self.channel, self._beside = channel, tuple(beside)
        self.weight_a_minute = WEIGHT_A_MINUTE if limited else sys.maxsize
        self._ws = (ws or WS_PUBLIC).rstrip("/")
        self._rest = (rest or REST_PUBLIC).rstrip("/")
        agg = channel == "aggTrade"
        self._combined: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            CombinedAgg if agg else Combined, strict=False
        )
        self._raw: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            AggTrade if agg else Trade, strict=False
        )
        self._row: type[RestRow] = RestAggTrade if agg else RestTrade

    def stream_url(self) -> str:
        """Return the address of the combined stream of all symbols."""
        names = [quote(lower(symbol), safe="") for symbol in self.symbols]
        channels = (self.channel, *self._beside)
        streams = "/".join(f"{name}@{channel}" for name in names for channel in channels)
        return f"{self._ws}/stream?streams={streams}"

    def history_request(self, symbol: str, first_id: int | None, limit: int) -> Request:
        """Return the request for ``limit`` trades, 1000 at most, from ``first_id`` on.

        Without ``first_id`` it is the newest that are meant.
        """
        agg = self.channel == "aggTrade"
        path = "aggTrades" if agg else "historicalTrades"
        since = "" if first_id is None else f"&fromId={first_id}"
        return Request(
            f"{self._rest}/api/v3/{path}?symbol={_in_query(symbol)}{since}&limit={limit}",
            AGG_TRADES_WEIGHT if agg else TRADES_WEIGHT,
        )

    def time_request(self) -> Request:
        """Return the request for the venue's clock."""
        return Request(f"{self._rest}/api/v3/time", TIME_WEIGHT)

    def symbol_request(self, symbol: str) -> Request:
        """Return the request for what the venue knows of a symbol."""
        url = f"{self._rest}/api/v3/exchangeInfo?symbol={_in_query(symbol)}"
        return Request(url, INFO_WEIGHT)

    def parse_history(
        self, symbol: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``.

        Rows that break an invariant are ``VOID``; those without a readable id are left out.
        """
        rejected: Rejected = Counter()
        rows = read_rows(self._row, symbol, body, rejected)
        ticks = ticks_of(rows, [ts_init] * len(rows))
        ticks["flags"] = REPAIRED
        return mark_void(ticks, symbol, rejected, latest), rejected

    def parse_time(self, body: bytes) -> int:
        """Return the venue's clock, ns."""
        try:
            time: int = TIME.decode(body).serverTime
        except RecursionError as e:
            raise ValueError("nested too deep") from e
        time *= NS_PER_US if time >= US_FROM else NS_PER_MS
        if not OLDEST_TS <= time < NEWEST_TS:
            raise ValueError(f"{time} ns is no time of a venue")
        return time

    def parse_refusal(self, body: bytes) -> Refusal:
        """Return what an error reply says; "" for a page of a proxy or a firewall."""
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
        for symbol, (mine, at) in self._by_symbol(events, places, rejected).items():
            found = ticks_of(mine, [stamps[place] for place in at])
            ticks[symbol] = mark_void(found, symbol, rejected, latest, not_market(mine))
            tick_places[symbol] = at
        quotes = {}
        for symbol, (rows, at) in quotes_by_symbol(
            frames, stamps, kinds.books, self._ours, rejected
        ).items():
            rows["after"] = np.searchsorted(tick_places.get(symbol, []), at)
            quotes[symbol] = rows
        complete = complete_until(frames, kinds.marks, self._ours, rejected)
        return Decoded(ticks, rejected, reconnect, quotes, complete)

    def _events(
        self, frames: Sequence[bytes], places: Sequence[int], rejected: Rejected
    ) -> tuple[Sequence[Event], Sequence[int], str]:
        """Return the trades in the frames at ``places``, the place of each, and ``reconnect``."""
        decode = self._combined.decode
        mine = [frames[place] for place in places]
        try:
            if max(map(len, mine), default=0) > MAX_FRAME_BYTES:
                raise ValueError
            return [decode(frame).data for frame in mine], places, ""
        except UNREADABLE:  # one of them is not a trade: decode each by itself
            return self._decode_each(mine, places, rejected)

    def _by_symbol(
        self,
        events: Sequence[Event],
        places: Sequence[int],
        rejected: Rejected,
    ) -> dict[str, tuple[Sequence[Event], Sequence[int]]]:
        """Group trades by symbol and count the foreign ones; usually all are of one symbol."""
        n = len(events)
        kinds, names = [event.e for event in events], [event.s for event in events]
        name = names[0] if n else ""
        if name in self._ours and kinds.count(self.channel) == n and names.count(name) == n:
            return {self._ours[name]: (events, places)}
        groups: dict[str, tuple[list[Event], list[int]]] = {}
        for event, place in zip(events, places, strict=True):
            if event.e != self.channel:
                rejected["", "not_trade"] += 1
            elif event.s not in self._ours:
                rejected["", "foreign_symbol"] += 1
            else:
                mine, at = groups.setdefault(self._ours[event.s], ([], []))
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
            return self._combined.decode(frame).data  # type: ignore[no-any-return]
        except UNREADABLE:
            pass
        try:
            return self._raw.decode(frame)  # type: ignore[no-any-return]
        except UNREADABLE:
            return what_is(frame, self.channel)


def _in_query(symbol: str) -> str:
    return quote(upper(symbol), safe="")

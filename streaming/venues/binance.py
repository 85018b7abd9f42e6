"""Binance spot: `@trade` and `@aggTrade` frames and REST replies -> ticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from streaming.ticks import NS_PER_MS, NS_PER_US, REPAIRED, US_FROM, Ticks
from streaming.venues import Decoded
from streaming.venues.binance_messages import (
    UNREADABLE,
    AggTrade,
    Combined,
    CombinedAgg,
    Event,
    RestAggTrade,
    RestTrade,
    Time,
    Trade,
    mark_void,
    ticks_of,
    what_is,
)

WS_PUBLIC = "wss://stream.binance.com:9443"
REST_PUBLIC = "https://api.binance.com"

# A trade is about 200 bytes; a much larger frame is not one.
MAX_FRAME_BYTES = 64 * 1024

TIME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Time)


class Binance:
    """Binance, for one set of symbols.

    Args:
        symbols: in the venue's upper-case spelling.
        channel: ``trade`` or ``aggTrade``.
        ws: base address of the streams, if the host is not the public one.
        rest: base address of REST, if the host is not the public one.
    """

    name = "binance"

    def __init__(
        self, symbols: Sequence[str], *, channel: str = "trade", ws: str = "", rest: str = ""
    ) -> None:
        self.symbols = tuple(symbols)
        self.channel = channel
        self._ws = (ws or WS_PUBLIC).rstrip("/")
        self._rest = (rest or REST_PUBLIC).rstrip("/")
        agg = channel == "aggTrade"
        self._combined: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            CombinedAgg if agg else Combined, strict=False
        )
        self._raw: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            AggTrade if agg else Trade, strict=False
        )
        self._history: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            list[RestAggTrade] if agg else list[RestTrade], strict=False
        )

    def stream_url(self) -> str:
        """Return the address of the combined stream of all symbols."""
        streams = "/".join(f"{symbol.lower()}@{self.channel}" for symbol in self.symbols)
        return f"{self._ws}/stream?streams={streams}"

    def history_url(self, symbol: str, first_id: int, limit: int) -> str:
        """Return the address of up to ``limit`` trades, at most 1000, from ``first_id`` on."""
        path = "aggTrades" if self.channel == "aggTrade" else "historicalTrades"
        return f"{self._rest}/api/v3/{path}?symbol={symbol}&fromId={first_id}&limit={limit}"

    def time_url(self) -> str:
        """Return the address of the venue's clock."""
        return f"{self._rest}/api/v3/time"

    def parse_history(self, body: bytes, ts_init: int) -> Ticks:
        """Decode a reply of ``history_url``; rows that break an invariant are ``VOID``."""
        rows: list[RestTrade] | list[RestAggTrade] = _reply(self._history, body)
        ticks = ticks_of(rows, [ts_init] * len(rows))
        ticks["flags"] = REPAIRED
        return mark_void(ticks, "", Counter())

    def parse_time(self, body: bytes) -> int:
        """Return the venue's clock, ns."""
        time: int = _reply(TIME, body).serverTime
        return time * (NS_PER_US if time >= US_FROM else NS_PER_MS)

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int]) -> Decoded:
        """Decode frames received at ``stamps`` (ns, Unix epoch)."""
        rejected: Counter[tuple[str, str]] = Counter()
        reconnect = ""
        decode = self._combined.decode
        try:
            if max(map(len, frames), default=0) > MAX_FRAME_BYTES:
                raise ValueError
            events = [decode(frame).data for frame in frames]
        except UNREADABLE:  # one of them is not a trade: decode each by itself
            events, stamps, reconnect = self._decode_each(frames, stamps, rejected)
        ticks = {
            symbol: mark_void(ticks_of(mine, mine_stamps), symbol, rejected)
            for symbol, (mine, mine_stamps) in self._by_symbol(events, stamps, rejected).items()
        }
        return Decoded(ticks, rejected, reconnect)

    def _by_symbol(
        self,
        events: Sequence[Event],
        stamps: Sequence[int],
        rejected: Counter[tuple[str, str]],
    ) -> dict[str, tuple[Sequence[Event], Sequence[int]]]:
        """Group trades by symbol and count the foreign ones; usually all are of one symbol."""
        n, symbol = len(events), self.symbols[0]
        kinds, names = [event.e for event in events], [event.s for event in events]
        if kinds.count(self.channel) == n and names.count(symbol) == n:
            return {symbol: (events, stamps)} if n else {}
        groups: dict[str, tuple[list[Event], list[int]]] = {}
        for event, stamp in zip(events, stamps, strict=True):
            if event.e != self.channel:
                rejected["", "not_trade"] += 1
            elif event.s not in self.symbols:
                rejected["", "foreign_symbol"] += 1
            else:
                mine, mine_stamps = groups.setdefault(event.s, ([], []))
                mine.append(event)
                mine_stamps.append(stamp)
        return dict(groups)

    def _decode_each(
        self,
        frames: Sequence[bytes],
        stamps: Sequence[int],
        rejected: Counter[tuple[str, str]],
    ) -> tuple[list[Event], list[int], str]:
        events: list[Event] = []
        kept: list[int] = []
        reconnect = ""
        for frame, stamp in zip(frames, stamps, strict=True):
            event = self._decode_one(frame)
            if not isinstance(event, str):
                events.append(event)
                kept.append(stamp)
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


def _reply(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except RecursionError as e:
        raise ValueError("nested too deep") from e

"""Binance spot: `@trade` and `@aggTrade` frames and REST replies -> ticks.

Formats: Binance spot API documentation, web-socket-streams.md and rest-api.md. Keys not
named here are ignored, since futures and newer API versions add some. ``m`` (is the buyer the
maker?) true means that the taker sold. Times are ms, or us if the venue was asked for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.ticks import (
    BUY,
    MAX_AHEAD_NS,
    NS_PER_MS,
    NS_PER_US,
    OLDEST_TS,
    REPAIRED,
    SELL,
    UNKNOWN,
    VOID,
    Ticks,
    make_ticks,
)
from streaming.venues import Decoded

WS_PUBLIC = "wss://stream.binance.com:9443"
REST_PUBLIC = "https://api.binance.com"

# A trade is about 200 bytes; what is much larger is not one.
MAX_FRAME_BYTES = 64 * 1024

# 13 digits are ms until the year 2286, 16 digits are us.
US_FROM = 10**14

# What msgspec raises: the second for JSON nested without end.
UNREADABLE = (ValueError, RecursionError)

Int = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Trade(msgspec.Struct, gc=False, rename={"id": "t", "time": "T", "price": "p", "size": "q"}):
    """One `trade` event; ``m`` is null where the taker's side is not known."""

    e: str
    s: str
    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class AggTrade(
    msgspec.Struct, gc=False, rename={"id": "a", "time": "T", "price": "p", "size": "q"}
):
    """One `aggTrade` event: the trades of one taker order."""

    e: str
    s: str
    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class RestTrade(msgspec.Struct, rename={"size": "qty", "m": "isBuyerMaker"}):
    """One row of ``historicalTrades``."""

    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class RestAggTrade(msgspec.Struct, rename={"id": "a", "time": "T", "price": "p", "size": "q"}):
    """One row of ``aggTrades``."""

    id: Int
    price: float
    size: float
    time: Int
    m: bool | None


class _Combined(msgspec.Struct, gc=False):
    data: Trade


class _CombinedAgg(msgspec.Struct, gc=False):
    data: AggTrade


class _Time(msgspec.Struct):
    serverTime: Int  # noqa: N815  (the venue's name)


_TIME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Time)


class _Probe(msgspec.Struct):
    """Just enough of a frame to say what it is."""

    e: str = ""
    s: str = ""
    result: Any = msgspec.UNSET
    code: Any = msgspec.UNSET


class _CombinedProbe(msgspec.Struct):
    data: _Probe


Event = Trade | AggTrade
Row = Trade | AggTrade | RestTrade | RestAggTrade


class Binance:
    """The venue, for one set of symbols.

    Args:
        symbols: in the venue's upper-case spelling.
        channel: ``trade`` or ``aggTrade``.
        ws: base address of the streams, for another host than the public one.
        rest: base address of REST, likewise.
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
            _CombinedAgg if agg else _Combined, strict=False
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
        """Return the address of up to ``limit`` (<= 1000) trades from ``first_id`` on."""
        path = "aggTrades" if self.channel == "aggTrade" else "historicalTrades"
        return f"{self._rest}/api/v3/{path}?symbol={symbol}&fromId={first_id}&limit={limit}"

    def time_url(self) -> str:
        """Return the address of the venue's clock."""
        return f"{self._rest}/api/v3/time"

    def parse_history(self, body: bytes, ts_init: int) -> Ticks:
        """Decode a reply of ``history_url``; rows that break an invariant are ``VOID``."""
        rows: list[Row] = _reply(self._history, body)
        ticks = _ticks(rows, [ts_init] * len(rows))
        ticks["flags"] = REPAIRED
        return _judge(ticks, "", Counter())

    def parse_time(self, body: bytes) -> int:
        """Return the venue's clock, ns."""
        time: int = _reply(_TIME, body).serverTime
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
        except UNREADABLE:  # one of them is not a trade: look at each
            events, stamps, reconnect = self._decode_each(frames, stamps, rejected)
        ticks = {
            symbol: _judge(_ticks(mine, mine_stamps), symbol, rejected)
            for symbol, (mine, mine_stamps) in self._by_symbol(events, stamps, rejected).items()
        }
        return Decoded(ticks, rejected, reconnect)

    def _by_symbol(
        self,
        events: Sequence[Event],
        stamps: Sequence[int],
        rejected: Counter[tuple[str, str]],
    ) -> dict[str, tuple[Sequence[Event], Sequence[int]]]:
        """Sort trades by symbol and count the foreign ones; the usual case is all of one."""
        n, symbol = len(events), self.symbols[0]
        kinds, names = [event.e for event in events], [event.s for event in events]
        if kinds.count(self.channel) == n and names.count(symbol) == n:
            return {symbol: (events, stamps)} if n else {}
        found: dict[str, tuple[list[Event], list[int]]] = {}
        for event, stamp in zip(events, stamps, strict=True):
            if event.e != self.channel:
                rejected["", "not_trade"] += 1
            elif event.s not in self.symbols:
                rejected["", "foreign_symbol"] += 1
            else:
                mine, mine_stamps = found.setdefault(event.s, ([], []))
                mine.append(event)
                mine_stamps.append(stamp)
        return dict(found)

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
        """Return the trade, or why it is none; "" for replies to our own requests."""
        if len(frame) > MAX_FRAME_BYTES:
            return "oversized"
        try:
            return self._combined.decode(frame).data  # type: ignore[no-any-return]
        except UNREADABLE:
            pass
        try:
            return self._raw.decode(frame)  # type: ignore[no-any-return]
        except UNREADABLE:
            return _what_is(frame, self.channel)


def _reply(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except RecursionError as e:
        raise ValueError("nested too deep") from e


def _what_is(frame: bytes, channel: str) -> str:
    """Name a frame that is not a trade."""
    probe = _probe(frame)
    if probe is None:
        return "malformed"
    if probe.e == "serverShutdown":
        return probe.e
    if probe.result is not msgspec.UNSET:
        return ""
    if probe.code is not msgspec.UNSET or (probe.e and probe.e != channel):
        return "not_trade"
    return "malformed"


def _probe(frame: bytes) -> _Probe | None:
    try:
        return msgspec.json.decode(frame, type=_CombinedProbe).data
    except UNREADABLE:
        pass
    try:
        return msgspec.json.decode(frame, type=_Probe)
    except UNREADABLE:
        return None


def _ticks(rows: Sequence[Row], stamps: Sequence[int]) -> Ticks:
    ticks = make_ticks(len(rows))
    ticks["id"] = [row.id for row in rows]
    ticks["price"] = [row.price for row in rows]
    ticks["size"] = [row.size for row in rows]
    time = np.array([row.time for row in rows], np.int64)
    # Past the year 2255 the ns would overflow: clip, the range check finds it all the same.
    ms = np.minimum(time, 9 * 10**12) * NS_PER_MS
    ticks["ts_event"] = np.where(time >= US_FROM, time * NS_PER_US, ms)
    ticks["ts_init"] = stamps
    maker = np.array([row.m for row in rows], np.float64)  # is the buyer the maker? NaN: unknown
    ticks["side"] = np.where(np.isnan(maker), UNKNOWN, np.where(maker > 0, SELL, BUY))
    return ticks


def _faults(ticks: Ticks) -> Iterable[tuple[str, NDArray[np.bool]]]:
    price, size, ts = ticks["price"], ticks["size"], ticks["ts_event"]
    yield "bad_price", ~(np.isfinite(price) & (price > 0))
    yield "bad_size", ~(np.isfinite(size) & (size > 0))
    yield "bad_time", (ts < OLDEST_TS) | (ts > ticks["ts_init"] + MAX_AHEAD_NS)


def _judge(ticks: Ticks, symbol: str, rejected: Counter[tuple[str, str]]) -> Ticks:
    """Mark the ticks that break an invariant ``VOID`` and count them, one reason each.

    They go on as far as the sequencer, which must know that their ids were not lost.
    """
    for reason, wrong in _faults(ticks):
        new = wrong & (ticks["flags"] & VOID == 0)
        if new.any():
            rejected[symbol, reason] += int(np.count_nonzero(new))
            ticks["flags"][new] |= VOID
    return ticks

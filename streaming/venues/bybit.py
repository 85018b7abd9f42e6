"""Bybit v5: `publicTrade` and `orderbook.1` frames and REST replies, of spot and of contracts.

Formats: bybit-exchange.github.io/docs/v5, websocket/public and market. Ids are UUIDs, or numbers
that jump (spot): a lost trade does not show in them. REST has the newest trades only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import numpy as np

from streaming.quotes import Quotes, make_quotes
from streaming.ticks import Side, Ticks, make_ticks
from streaming.venues import (
    Decoded,
    Link,
    Paging,
    Refusal,
    Rejected,
    RestLimit,
    RestRequest,
    Route,
    Span,
    Terms,
)
from streaming.venues.counting import Count
from streaming.venues.frames import FrameVenue
from streaming.venues.gathering import UNREADABLE, Gathered, Id, Ms, ns_of_ms
from streaming.venues.replies import Row, checked_time, decode, read_ticks

SIDES = {"Buy": Side.BOUGHT, "Sell": Side.SOLD}
MOST_TOPICS = 10  # in one request: spot refuses more as a whole

WRONG_PARAMETER, TOO_MANY = 10001, 10006

Level = tuple[float, float]  # price, size


class Frame(msgspec.Struct, gc=False):
    """What every frame may have."""

    topic: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    ts: Ms = 0
    cts: Ms = 0  # of the matching engine, as the times of trades are
    op: str = ""
    success: bool = True
    ret_msg: str = ""


class Trade(msgspec.Struct, gc=False):
    """A trade of the socket."""

    i: str
    T: Ms
    s: str
    S: str
    p: float
    v: float


class Book(msgspec.Struct, gc=False):
    """The first level of a book."""

    s: str
    b: list[Level]
    a: list[Level]
    u: Id


class RestTrade(msgspec.Struct, rename="camel"):
    """A row of ``recent-trade``."""

    exec_id: str
    price: float
    size: float
    side: str
    time: Ms


class Rows(msgspec.Struct, rename={"rows": "list"}):
    """The result of a request for a list."""

    rows: list[msgspec.Raw]


class Reply(msgspec.Struct, rename="camel"):
    """Any reply of REST."""

    ret_code: int
    ret_msg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")
    time: Ms = 0


FRAME: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame, strict=False)
TRADES: msgspec.json.Decoder[list[Trade]] = msgspec.json.Decoder(list[Trade], strict=False)
BOOK: msgspec.json.Decoder[Book] = msgspec.json.Decoder(Book, strict=False)


class Bybit(FrameVenue):
    """Bybit spot. A book that does not change is sent again every 3 s, a ping is answered."""

    name, example = "bybit", "BTCUSDT"
    category: ClassVar[str] = "spot"
    max_frame_bytes = 2**20  # a frame has up to 1,024 trades
    ws_public, rest_public = "wss://stream.bybit.com", "https://api.bybit.com"
    terms = Terms(
        limit=RestLimit(600, 5.0),
        connects=(250, 300.0),
        page=60,
        taker_fee_bps=10.0,
        paging=Paging.NEWEST,
        proof=False,
        ping='{"op":"ping"}',
        ping_s=4.0,
        silent_s=10.0,
    )

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._books: dict[str, tuple[list[Level], list[Level]]] = {}
        self._counts = {market: Count() for market in self.symbols}
        self._waiting: dict[str, Quotes] = {}

    def links(self) -> list[Link]:
        """Return the one connection."""
        kinds = ["publicTrade", *["orderbook.1"] * self.quotes]
        topics = [f"{kind}.{symbol}" for symbol in self.markets for kind in kinds]
        hello = [
            {"op": "subscribe", "args": topics[start : start + MOST_TOPICS]}
            for start in range(0, len(topics), MOST_TOPICS)
        ]
        texts = tuple(msgspec.json.encode(message).decode() for message in hello)
        route = Route(f"{self._ws}/v5/public/{self.category}", texts)
        return [Link("trades and quotes" if self.quotes else "trades", (route,))]

    def decode(self, frames: Sequence[bytes], stamps: Sequence[int], latest: int) -> Decoded:
        """Decode frames received at ``stamps``; no trade is later than ``latest`` (ns)."""
        decoded = super().decode(frames, stamps, latest)
        ticks = {market: self._counts[market].streamed(t) for market, t in decoded.ticks.items()}
        return decoded._replace(ticks=ticks, quotes=self._behind_trades(decoded.quotes))

    def _behind_trades(self, quotes: dict[str, Quotes]) -> dict[str, Quotes]:
        """Return the quotes that may go on now: of markets that are held, the last one waits."""
        for market, last in self._waiting.items():
            quotes[market] = np.concatenate([last, quotes.get(market, make_quotes(0))])
        self._waiting = {market: q[-1:] for market, q in quotes.items() if self.holds(market)}
        for last in self._waiting.values():
            last["after"] = 0  # the trades before it will have gone
        return {market: q for market, q in quotes.items() if market not in self._waiting}

    def size(self, price: float, size: float) -> float:
        """Return a size in base currency."""
        return size

    def _take(self, frame: bytes, stamp: int, found: Gathered) -> None:
        message = FRAME.decode(frame)
        kind = message.topic.partition(".")[0]
        if kind == "publicTrade":
            for trade in TRADES.decode(message.data):
                if (market := found.market(trade.s)) is not None:
                    row = self._row(trade.i, trade.T, trade.p, trade.v, trade.S)
                    found.trade(market, row.id, row.ts, stamp, row.price, row.size, row.side)
        elif kind == "orderbook":
            book = BOOK.decode(message.data)
            if (market := found.market(book.s)) is not None:
                self._take_book(market, message, book, stamp, found)
        elif message.topic:
            found.reject("not_trade")
        elif not message.op:
            found.reject("malformed")
        elif not message.success:
            found.refused.append(message.ret_msg)

    def _take_book(
        self, market: str, message: Frame, book: Book, stamp: int, found: Gathered
    ) -> None:
        bids, asks = book.b, book.a
        if message.type == "delta":  # names the side that has changed; level 1 should send none
            known = self._books.get(market, ([], []))
            bids, asks = bids or known[0], asks or known[1]
        self._books[market] = bids, asks
        bid, ask = self._level(bids), self._level(asks)
        ts = message.cts or message.ts
        found.quote(market, book.u, ns_of_ms(ts) if ts else None, stamp, bid, ask)

    def _level(self, levels: list[Level]) -> Level:
        price, size = levels[0] if levels else (math.nan, math.nan)
        return price, self.size(price, size)

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for the newest trades, whatever is wanted."""
        return RestRequest(
            f"{self._rest}/v5/market/recent-trade?category={self.category}"
            f"&symbol={quote(self.symbols[market], safe='')}&limit={self.terms.page}",
            1,
        )

    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``, which has the newest first."""
        raws = decode(decode(body, Reply).result, Rows).rows[::-1]
        ticks, rejected = read_ticks(raws, RestTrade, self._row_of, market, ts_init, latest)
        return self._counts[market].shown(ticks), rejected

    def resume(self, market: str, kept: Ticks) -> None:
        """Go on behind the trades of a market that are kept already."""
        self._counts[market].resume(kept)

    def hold(self, market: str) -> None:
        """Hold a market's trades back."""
        self._counts[market].hold()

    def holds(self, market: str) -> bool:
        """Return whether a market's trades are held back."""
        return self._counts[market].is_held

    def release(self, market: str, streamed_only: bool) -> Ticks:
        """Return the trades that were held back, behind those from before them."""
        count = self._counts[market]
        wait = not count.has_streamed if streamed_only else not count.is_held
        return make_ticks(0) if wait else count.release()

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}/v5/market/time", 1)

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns."""
        return checked_time(ns_of_ms(decode(body, Reply).time))

    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why a request was refused: with status 200 too."""
        try:
            reply = decode(body, Reply)
        except UNREADABLE:
            return None if status < 300 else Refusal("", unknown_symbol=False)
        if status < 300 and reply.ret_code == 0:
            return None
        return Refusal(
            f"{reply.ret_msg} ({reply.ret_code})",
            unknown_symbol=reply.ret_code == WRONG_PARAMETER,
            too_many=reply.ret_code == TOO_MANY,
        )

    def _row_of(self, trade: RestTrade) -> Row:
        return self._row(trade.exec_id, trade.time, trade.price, trade.size, trade.side)

    def _row(self, id: str, ms: int, price: float, size: float, side: str) -> Row:
        """Return a trade whose id is its key."""
        taker = SIDES.get(side, Side.UNKNOWN)
        return Row(key_of(id), ns_of_ms(ms), price, self.size(price, size), taker)


class BybitLinear(Bybit):
    """Bybit's contracts in USDT and USDC; their sizes are in base currency."""

    name, category = "bybit-linear", "linear"
    terms = Bybit.terms._replace(page=1000, taker_fee_bps=5.5)


class BybitInverse(Bybit):
    """Bybit's contracts of 1 USD."""

    name, category, example = "bybit-inverse", "inverse", "BTCUSD"
    terms = BybitLinear.terms

    def size(self, price: float, size: float) -> float:
        """Return a size in base currency, of one in USD."""
        return size / price if price > 0 else math.nan


def key_of(id: str) -> int:
    """Return what a trade is known by: its id, or 63 bits of what is no number.

    >>> key_of("2290000000984259176")
    2290000000984259176
    >>> key_of("20f43950-d8dd-5b31-9112-a178eb6023af") < 2**63
    True
    """
    if id.isascii() and id.isdecimal() and int(id) < 2**63:
        return int(id)
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest()) >> 1

"""Coinbase Exchange: `matches`, `ticker` and `heartbeat` frames and REST replies.

Formats: docs.cdp.coinbase.com/exchange, websocket-feed/channels and rest-api. A match names the
maker's side. Tickers come with trades only.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import msgspec

from streaming.ticks import Side, Ticks
from streaming.venues import Link, Refusal, Rejected, RestLimit, RestRequest, Route, Span, Terms
from streaming.venues.frames import FrameVenue
from streaming.venues.gathering import UNREADABLE, Gathered, Id, Time, TradeId, ns_of
from streaming.venues.replies import Row, checked_time, decode, read_ticks

TAKER = {"sell": Side.BOUGHT, "buy": Side.SOLD}  # by the maker's side
NOT_FOUND = "NotFound"


class Message(msgspec.Struct, gc=False):
    """Any message of the feed; which fields it has depends on its type."""

    type: str
    product_id: str = ""
    trade_id: TradeId | None = None
    side: str = ""
    price: float = math.nan
    size: float = math.nan
    time: Time | None = None
    sequence: Id = 0
    last_trade_id: TradeId = 0
    best_bid: float = math.nan
    best_bid_size: float = math.nan
    best_ask: float = math.nan
    best_ask_size: float = math.nan
    message: str = ""
    reason: str = ""


class Trade(msgspec.Struct):
    """A row of a product's trades."""

    trade_id: TradeId
    side: str
    price: float
    size: float
    time: Time


class Clock(msgspec.Struct):
    """A reply of ``time``."""

    iso: Time


class Error(msgspec.Struct):
    """What a refused request is answered with."""

    message: str


MESSAGE: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message, strict=False)


class Coinbase(FrameVenue):
    """Coinbase Exchange: ids rise by 1, and a heartbeat a second names the newest."""

    name, example = "coinbase", "BTC-USD"
    ws_public = "wss://ws-feed.exchange.coinbase.com"
    rest_public = "https://api.exchange.coinbase.com"
    terms = Terms(
        limit=RestLimit(10, 1.0),
        connects=(120, 60.0),
        page=1000,
        taker_fee_bps=60.0,
        silent_s=10.0,
    )

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._seen: dict[str, int] = {}  # the newest id that came, by market

    def links(self) -> list[Link]:
        """Return the one connection; the venue ends it if nobody subscribes within 5 s."""
        channels = ["matches", "heartbeat", *["ticker"] * self.quotes]
        hello = {"type": "subscribe", "product_ids": [*self.markets], "channels": channels}
        route = Route(self._ws, (msgspec.json.encode(hello).decode(),))
        return [Link("trades and quotes" if self.quotes else "trades", (route,))]

    def _take(self, frame: bytes, stamp: int, found: Gathered) -> None:
        message = MESSAGE.decode(frame)
        match message.type:
            case "match" | "last_match" | "ticker" | "heartbeat":
                if (market := found.market(message.product_id)) is not None:
                    self._take_event(market, message, stamp, found)
            case "error":
                found.refused.append(f"{message.message}: {message.reason}".strip(": "))
            case "subscriptions":
                pass
            case _:
                found.reject("not_trade")

    def _take_event(self, market: str, message: Message, stamp: int, found: Gathered) -> None:
        if message.time is None:
            raise ValueError("without a time")
        ts, id = ns_of(message.time), message.trade_id
        if message.type == "heartbeat":
            # An id of 0 has been seen where the venue knew none.
            if message.last_trade_id > self._seen.get(market, 0):
                found.newest[market] = message.last_trade_id
            elif message.last_trade_id:
                found.complete[market] = ts
        elif message.type == "ticker":
            bid = (message.best_bid, message.best_bid_size)
            found.quote(
                market, message.sequence, ts, stamp, bid, (message.best_ask, message.best_ask_size)
            )
        elif id is None or message.side not in TAKER:
            raise ValueError("no trade")
        else:
            side = TAKER[message.side]
            found.trade(market, id, ts, stamp, message.price, message.size, side)
            self._seen[market] = max(id, self._seen.get(market, 0))

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades up to the last of ``span``; newest first."""
        product = quote(self.symbols[market], safe="")
        after = "" if span.last is None else f"&after={span.last + 1}"
        return RestRequest(f"{self._rest}/products/{product}/trades?limit={limit}{after}", 1)

    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``."""
        raws = decode(body, list[msgspec.Raw])
        return read_ticks(raws, Trade, _row_of, market, ts_init, latest)

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}/time", 1)

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns."""
        return checked_time(ns_of(decode(body, Clock).iso))

    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why a request was refused."""
        if status < 300:
            return None
        try:
            text = decode(body, Error).message
        except UNREADABLE:
            return Refusal("", unknown_symbol=False)
        return Refusal(text, unknown_symbol=status == 404 and text == NOT_FOUND)


def _row_of(trade: Trade) -> Row:
    if trade.side not in TAKER:
        raise ValueError("no side")
    return Row(trade.trade_id, ns_of(trade.time), trade.price, trade.size, TAKER[trade.side])

"""Kraken spot: `trade` and `ticker` frames of its websockets v2, and REST replies.

Formats: docs.kraken.com, spot websocket v2 and REST. Ids rise by 1 at REST; of trades of one time
the socket has left some out, so every jump is looked up.
"""

from __future__ import annotations

import math
from decimal import Decimal
from urllib.parse import quote

import msgspec

from streaming.symbols import upper
from streaming.ticks import NS_PER_S, Side, Ticks
from streaming.venues import (
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
from streaming.venues.frames import FrameVenue
from streaming.venues.gathering import UNREADABLE, Gathered, Id, Time, TradeId, ns_of
from streaming.venues.replies import Row, checked_time, decode, read_ticks

SIDES = {"buy": Side.BOUGHT, "sell": Side.SOLD}
REST_SIDES = {"b": Side.BOUGHT, "s": Side.SOLD}

# REST spells two currencies as they were spelled in 2013.
REST_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
STREAM_NAMES = {rest: name for name, rest in REST_NAMES.items()}

UNKNOWN_PAIR = ("EQuery:Unknown asset pair", "EQuery:Invalid asset pair")
TOO_MANY = ("EGeneral:Too many requests", "EAPI:Rate limit exceeded", "EService:Throttled")
RESULT_OF_NO_PAIR = "last"

LATEST_S = 9 * 10**9  # of the year 2255, so that its ns fit


class Frame(msgspec.Struct, gc=False):
    """What every frame may have."""

    channel: str = ""
    method: str = ""
    success: bool = True
    error: str = ""
    Error: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class Trade(msgspec.Struct, gc=False):
    """A trade of the socket."""

    symbol: str
    side: str
    price: float
    qty: float
    trade_id: TradeId
    timestamp: Time


class Ticker(msgspec.Struct, gc=False):
    """The part of a ticker that is the best bid and ask."""

    symbol: str
    bid: float = math.nan
    bid_qty: float = math.nan
    ask: float = math.nan
    ask_qty: float = math.nan
    timestamp: Time | None = None


class RestTrade(msgspec.Struct, array_like=True):
    """A row of ``Trades``; its time has steps of 100 ns, which a float has not."""

    price: float
    volume: float
    time: Decimal
    side: str
    order: str
    misc: str
    trade_id: TradeId


class Reply(msgspec.Struct):
    """Any reply of REST."""

    error: list[str] = []
    result: msgspec.Raw = msgspec.Raw(b"{}")


class Clock(msgspec.Struct):
    """The result of ``Time``."""

    unixtime: Id


FRAME: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
TRADES: msgspec.json.Decoder[list[Trade]] = msgspec.json.Decoder(list[Trade], strict=False)
TICKERS: msgspec.json.Decoder[list[Ticker]] = msgspec.json.Decoder(list[Ticker], strict=False)


class Kraken(FrameVenue):
    """Kraken spot. A heartbeat comes each second in which nothing else does."""

    name, example = "kraken", "BTC/USD"
    ws_public, rest_public = "wss://ws.kraken.com", "https://api.kraken.com"
    terms = Terms(
        limit=RestLimit(1, 1.1),
        connects=(75, 600.0),
        page=1000,
        taker_fee_bps=40.0,
        paging=Paging.BY_TIME,
        ping='{"method":"ping"}',
        ping_s=30.0,
        silent_s=8.0,
        whole_seconds=True,
    )

    @staticmethod
    def spelled(symbol: str) -> str:
        """Return a symbol in upper case, but as it is if some of it is: TSLAx/USD is one.

        >>> Kraken.spelled("xbt/usd"), Kraken.spelled("TSLAx/USD")
        ('BTC/USD', 'TSLAx/USD')
        """
        name = upper(symbol) if symbol == symbol.lower() else symbol
        return "/".join(STREAM_NAMES.get(part, part) for part in name.split("/"))

    def links(self) -> list[Link]:
        """Return the one connection."""
        channels: list[dict[str, object]] = [{"channel": "trade"}]
        if self.quotes:  # by default, a ticker comes with trades only
            channels.append({"channel": "ticker", "event_trigger": "bbo"})
        hello = [
            {"method": "subscribe", "params": {**one, "symbol": [*self.markets], "snapshot": True}}
            for one in channels
        ]
        texts = tuple(msgspec.json.encode(message).decode() for message in hello)
        carries = "trades and quotes" if self.quotes else "trades"
        return [Link(carries, (Route(f"{self._ws}/v2", texts),))]

    def _take(self, frame: bytes, stamp: int, found: Gathered) -> None:
        message = FRAME.decode(frame)
        match message.channel:
            case "trade":
                for trade in TRADES.decode(message.data):
                    if (market := found.market(trade.symbol)) is not None:
                        found.trade(
                            market, trade.trade_id, ns_of(trade.timestamp), stamp, trade.price,
                            trade.qty, SIDES.get(trade.side, Side.UNKNOWN),
                        )  # fmt: skip
            case "ticker":
                for book in TICKERS.decode(message.data):
                    if (market := found.market(book.symbol)) is not None:
                        ts = None if book.timestamp is None else ns_of(book.timestamp)
                        bid = (book.bid, book.bid_qty)
                        found.quote(market, 0, ts, stamp, bid, (book.ask, book.ask_qty))
            case "heartbeat" | "status":
                pass
            case _ if message.error or message.Error:
                found.refused.append(message.error or message.Error)
            case "" if message.method:
                pass  # a reply to what we have sent
            case _:
                found.reject("not_trade" if message.channel else "malformed")

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades after ``span.since``, or for the newest."""
        since = f"&since={span.since}" if span.since else ""
        url = f"{self._rest}/0/public/Trades?pair={self._pair(market)}{since}&count={limit}"
        return RestRequest(url, 1)

    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``; it names the pair in a third spelling."""
        result = decode(decode(body, Reply).result, dict[str, msgspec.Raw])
        rows = [raw for name, raw in result.items() if name != RESULT_OF_NO_PAIR]
        if len(rows) != 1:
            raise ValueError("not the trades of one pair")
        raws = decode(rows[0], list[msgspec.Raw])
        return read_ticks(raws, RestTrade, _row_of, market, ts_init, latest)

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}/0/public/Time", 1)

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns; whole seconds."""
        return checked_time(decode(decode(body, Reply).result, Clock).unixtime * NS_PER_S)

    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why a request was refused: with status 200 too."""
        try:
            errors = decode(body, Reply).error
        except UNREADABLE:
            errors = []
        if status < 300 and not errors:
            return None
        return Refusal(
            ", ".join(errors),
            unknown_symbol=any(error.startswith(UNKNOWN_PAIR) for error in errors),
            too_many=any(error.startswith(TOO_MANY) for error in errors),
        )

    def _pair(self, market: str) -> str:
        """Return a pair as REST takes it: XBTUSD for BTC/USD."""
        names = (REST_NAMES.get(name, name) for name in self.symbols[market].split("/"))
        return quote("".join(names), safe="")


def _row_of(trade: RestTrade) -> Row:
    if not (trade.time.is_finite() and 0 <= trade.time < LATEST_S):
        raise ValueError("no time")
    ts = int(trade.time * NS_PER_S)
    side = REST_SIDES.get(trade.side, Side.UNKNOWN)
    return Row(trade.trade_id, ts, trade.price, trade.volume, side)

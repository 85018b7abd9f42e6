"""OKX v5: `trades-all` and `bbo-tbt` frames and REST replies, of spot and of contracts.

Formats: okx.com/docs-v5, order book trading and public data. The two channels are had on two
connections. Sizes of contracts are counted in contracts; how much one is, REST tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from streaming.ticks import Side, Ticks
from streaming.venues import Link, Refusal, Rejected, RestLimit, RestRequest, Route, Span, Terms
from streaming.venues.frames import FrameVenue
from streaming.venues.gathering import UNREADABLE, Gathered, Id, Ms, TradeId, ns_of_ms
from streaming.venues.replies import Row, checked_time, decode, read_ticks

SIDES = {"buy": Side.BOUGHT, "sell": Side.SOLD}
MOST_TOPICS = 100  # in one request, which may have 64 KB

PONG = b"pong"
UPGRADE = "64008"  # the code of a notice: this connection ends in 30 s
UNKNOWN_INSTRUMENT, TOO_MANY = "51001", "50011"


class Topic(msgspec.Struct, gc=False):
    """What a frame is about."""

    channel: str = ""
    instId: str = ""  # noqa: N815  (the venue's name)


class Frame(msgspec.Struct, gc=False):
    """What every frame may have."""

    arg: Topic | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    event: str = ""
    code: str = ""
    msg: str = ""


class Trade(msgspec.Struct, gc=False, rename="camel"):
    """A trade of the socket, or a row of ``history-trades``."""

    trade_id: TradeId
    px: float
    sz: float
    side: str
    ts: Ms


class Book(msgspec.Struct, gc=False, rename="camel"):
    """The best bid and ask: price, size, 0 and the number of orders each."""

    asks: list[tuple[float, float, msgspec.Raw, msgspec.Raw]]
    bids: list[tuple[float, float, msgspec.Raw, msgspec.Raw]]
    ts: Ms
    seq_id: Id = 0


class Instrument(msgspec.Struct, rename="camel"):
    """How large a contract is."""

    inst_id: str
    ct_val: float
    ct_type: str
    ct_mult: float = 1.0


class Clock(msgspec.Struct):
    """A row of ``time``."""

    ts: Ms


class Reply(msgspec.Struct):
    """Any reply of REST."""

    code: str
    msg: str = ""
    data: list[msgspec.Raw] = []


class Contract(NamedTuple):
    """How much one contract is: of base currency, or, if ``inverse``, of quote currency."""

    value: float
    inverse: bool


FRAME: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame, strict=False)
TRADES: msgspec.json.Decoder[list[Trade]] = msgspec.json.Decoder(list[Trade], strict=False)
BOOKS: msgspec.json.Decoder[list[Book]] = msgspec.json.Decoder(list[Book], strict=False)


class Okx(FrameVenue):
    """OKX: ids rise by 1. A text ``ping`` is answered."""

    name, example = "okx", "BTC-USDT"
    one_order = False
    ws_public, rest_public = "wss://ws.okx.com:8443", "https://www.okx.com"
    terms = Terms(
        limit=RestLimit(20, 2.0),
        connects=(45, 30.0),
        page=100,
        taker_fee_bps=10.0,
        ping="ping",
        ping_s=4.0,
        silent_s=10.0,
    )

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._contracts: dict[str, Contract] = {}  # by market
        self.unsized = {market for market, symbol in self.symbols.items() if kind_of(symbol)}

    def links(self) -> list[Link]:
        """Return a connection for trades and one for quotes."""
        links = [Link("trades", (self._route("business", "trades-all"),))]
        if self.quotes:
            links.append(Link("quotes", (self._route("public", "bbo-tbt"),)))
        return links

    def _route(self, path: str, channel: str) -> Route:
        args = [{"channel": channel, "instId": symbol} for symbol in self.markets]
        hello = [
            {"op": "subscribe", "args": args[start : start + MOST_TOPICS]}
            for start in range(0, len(args), MOST_TOPICS)
        ]
        texts = tuple(msgspec.json.encode(message).decode() for message in hello)
        return Route(f"{self._ws}/ws/v5/{path}", texts)

    def _take(self, frame: bytes, stamp: int, found: Gathered) -> None:
        if frame == PONG:
            return
        message = FRAME.decode(frame)
        if message.event == "error":
            found.refused.append(f"{message.msg} ({message.code})")
        elif message.event == "notice" and message.code == UPGRADE:
            found.reconnect = "the venue announced an upgrade"
        elif message.event:
            pass  # a reply to what we have sent
        elif message.arg is None:
            raise ValueError("about nothing")
        elif message.arg.channel not in ("trades-all", "bbo-tbt"):
            found.reject("not_trade")
        elif (market := found.market(message.arg.instId)) is not None:
            if message.arg.channel == "trades-all":
                for row in map(self._rows_of(market), TRADES.decode(message.data)):
                    found.trade(market, row.id, row.ts, stamp, row.price, row.size, row.side)
            else:
                self._take_books(market, BOOKS.decode(message.data), stamp, found)

    def _take_books(self, market: str, books: Iterable[Book], stamp: int, found: Gathered) -> None:
        for book in books:
            bid, ask = (
                (levels[0][0], self._size(market, levels[0][0], levels[0][1]))
                if levels else (math.nan, math.nan)
                for levels in (book.bids, book.asks)
            )  # fmt: skip
            found.quote(market, book.seq_id, ns_of_ms(book.ts), stamp, bid, ask)

    def _size(self, market: str, price: float, size: float) -> float:
        """Return a size in base currency."""
        contract = self._contracts.get(market)
        if contract is None:
            return size
        worth = contract.value * size
        return (worth / price if price > 0 else math.nan) if contract.inverse else worth

    def _rows_of(self, market: str) -> Callable[[Trade], Row]:
        def row_of(trade: Trade) -> Row:
            side = SIDES.get(trade.side, Side.UNKNOWN)
            size = self._size(market, trade.px, trade.sz)
            return Row(trade.trade_id, ns_of_ms(trade.ts), trade.px, size, side)

        return row_of

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades up to the last of ``span``; newest first."""
        after = "" if span.last is None else f"&type=1&after={span.last + 1}"
        query = f"instId={self._in_query(market)}{after}&limit={limit}"
        return RestRequest(f"{self._rest}/api/v5/market/history-trades?{query}", 1)

    def parse_history(
        self, market: str, body: bytes, ts_init: int, latest: int
    ) -> tuple[Ticks, Rejected]:
        """Decode a reply of ``history_request``."""
        raws = decode(body, Reply).data
        return read_ticks(raws, Trade, self._rows_of(market), market, ts_init, latest)

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}/api/v5/public/time", 1)

    def parse_time(self, body: bytes) -> int:
        """Return the venue's time, ns."""
        (clock,) = decode(body, Reply).data
        return checked_time(ns_of_ms(decode(clock, Clock).ts))

    def symbol_request(self, market: str) -> RestRequest:
        """Return the request for a contract's size, or for a trade where there is no contract."""
        if not (kind := kind_of(self.symbols[market])):
            return super().symbol_request(market)
        query = f"instType={kind}&instId={self._in_query(market)}"
        return RestRequest(f"{self._rest}/api/v5/public/instruments?{query}", 1)

    def take_symbol(self, market: str, body: bytes) -> None:
        """Learn how large a contract is."""
        if market in self.unsized:
            (raw,) = decode(body, Reply).data
            found = decode(raw, Instrument)
            value = found.ct_val * found.ct_mult
            if not 0 < value < math.inf or found.ct_type not in ("linear", "inverse"):
                raise ValueError(f"no size of a contract: {found.ct_val} {found.ct_type}")
            self._contracts[market] = Contract(value, found.ct_type == "inverse")
            self.unsized.discard(market)

    def refusal(self, status: int, body: bytes) -> Refusal | None:
        """Return why a request was refused: with status 200 too."""
        try:
            reply = decode(body, Reply)
        except UNREADABLE:
            return None if status < 300 else Refusal("", unknown_symbol=False)
        if status < 300 and reply.code == "0":
            return None
        return Refusal(
            f"{reply.msg} ({reply.code})",
            unknown_symbol=reply.code == UNKNOWN_INSTRUMENT,
            too_many=reply.code == TOO_MANY,
        )

    def _in_query(self, market: str) -> str:
        return quote(self.symbols[market], safe="")


def kind_of(symbol: str) -> str:
    """Return which kind of contract a symbol is; "" for spot.

    >>> kind_of("BTC-USDT"), kind_of("BTC-USDT-SWAP"), kind_of("BTC-USD-251226")
    ('', 'SWAP', 'FUTURES')
    """
    end = symbol.split("-")[2:]
    return "" if not end else "SWAP" if end[0] == "SWAP" else "FUTURES"

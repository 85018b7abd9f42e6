"""Binance: spot, and USD-M futures with its routes: on the wrong one nothing ever comes."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import ServerConnection

from tests.streaming.venues.stand_in import Quote, StandIn, Trade


class BinanceStandIn(StandIn):
    """Docs: github.com/binance/binance-spot-api-docs. Who asks on is banned with 418."""

    rest_limit = (6000, 60.0)
    banned = 429
    channel: ClassVar[str] = "trade"
    api: ClassVar[str] = "/api/v3"
    path: ClassVar[str] = "historicalTrades"
    weights: ClassVar[dict[str, int]] = {"historicalTrades": 25, "exchangeInfo": 20}
    routes: ClassVar[dict[str, set[str]]] = {"/stream": {"trade", "bookTicker"}}

    async def greet(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        url = urlsplit(unquote(socket.request.path))
        names = parse_qs(url.query)["streams"][0].split("/")
        for name in names:
            symbol, _, channel = name.partition("@")
            if symbol == self.symbol.lower() and channel in self.routes.get(url.path, ()):
                self.topics[socket].add("quotes" if channel == "bookTicker" else "trades")

    def trades_frame(self, trades: list[Trade]) -> str:
        (trade,) = trades
        ids = {"t": trade.id} if self.channel == "trade" else {"a": trade.id, "f": 1, "l": 1}
        event = {"e": self.channel, "E": trade.us // 1000, "s": self.symbol, **ids}
        event |= {"p": trade.price, "q": trade.size, "T": trade.us // 1000, "m": trade.side < 0}
        return json.dumps({"stream": f"{self.symbol.lower()}@{self.channel}", "data": event})

    def quote_frame(self, quote: Quote) -> str:
        data = self.times(quote) | {
            "u": quote.id, "s": self.symbol, "b": quote.bid, "B": quote.bid_size, "a": quote.ask,
            "A": quote.ask_size,
        }  # fmt: skip
        return json.dumps({"stream": f"{self.symbol.lower()}@bookTicker", "data": data})

    def times(self, quote: Quote) -> dict[str, Any]:
        """Spot's has none."""
        return {}

    def weight(self, path: str) -> int:
        return self.weights.get(path.rsplit("/", 1)[-1], 1)

    def get(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        if path == f"{self.api}/time":
            return 200, {"serverTime": time.time_ns() // 10**6}
        if query.get("symbol") != self.symbol:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        if path != f"{self.api}/{self.path}":
            return 200, {"symbol": self.symbol}
        limit = int(query.get("limit", 500))
        if not 1 <= limit <= 1000:
            self.complaints.append(f"limit {limit}")
        if "fromId" in query:
            found = [t for t in self.known() if t.id >= int(query["fromId"])][:limit]
        else:
            found = self.known()[-limit:]
        return 200, [self.row(trade) for trade in found]

    def row(self, trade: Trade) -> dict[str, Any]:
        row = {"id": trade.id, "price": trade.price, "qty": trade.size, "quoteQty": "1"}
        return row | {"time": trade.us // 1000, "isBuyerMaker": trade.side < 0, "isBestMatch": True}


class BinanceUsdMStandIn(BinanceStandIn):
    """Docs: developers.binance.com, derivatives; the old route acknowledges and is silent."""

    rest_limit = (2400, 60.0)
    channel, api, path = "aggTrade", "/fapi/v1", "aggTrades"
    weights: ClassVar[dict[str, int]] = {"aggTrades": 20}
    routes: ClassVar[dict[str, set[str]]] = {
        "/market/stream": {"aggTrade"},
        "/public/stream": {"bookTicker"},
    }

    def times(self, quote: Quote) -> dict[str, Any]:
        return {"e": "bookTicker", "T": quote.us // 1000, "E": quote.us // 1000 + 4, "st": 1}

    def row(self, trade: Trade) -> dict[str, Any]:
        return {"a": trade.id, "p": trade.price, "q": trade.size, "f": 1, "l": 1,
                "T": trade.us // 1000, "m": trade.side < 0}  # fmt: skip


class BinanceCoinMStandIn(BinanceUsdMStandIn):
    """Its trades and quotes come over one connection."""

    api = "/dapi/v1"
    routes: ClassVar[dict[str, set[str]]] = {"/stream": {"aggTrade", "bookTicker"}}

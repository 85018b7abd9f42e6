"""Bybit: ids that prove nothing, a book sent again when it does not change, pings, 60 trades."""

from __future__ import annotations

import json
import time
import uuid

from tests.streaming.venues.stand_in import Quote, StandIn, Trade


class BybitStandIn(StandIn):
    """Docs: bybit-exchange.github.io/docs/v5."""

    step_us = 37_000
    rest_limit = (600, 5.0)
    banned = 403
    category, page = "spot", 60

    def key(self, trade: Trade) -> str:
        """Numbers that rise and jump."""
        return str(2290000000984259176 + 7 * trade.id + trade.id % 3)

    async def greet(self, socket):
        if socket.request.path != f"/v5/public/{self.category}":
            self.complaints.append(f"no such path: {socket.request.path}")

    async def receive(self, socket, text):
        message = json.loads(text)
        answer = {"success": True, "ret_msg": "", "conn_id": "0970e817", "op": message["op"]}
        if message["op"] == "ping":
            await socket.send(json.dumps(answer | {"ret_msg": "pong"}))
            return
        if len(message["args"]) > 10:
            answer |= {"success": False, "ret_msg": "args size >10"}
            self.complaints.append(answer["ret_msg"])
        else:
            names = {f"publicTrade.{self.symbol}": "trades", f"orderbook.1.{self.symbol}": "quotes"}
            self.topics[socket] |= {names[topic] for topic in message["args"]}
        await socket.send(json.dumps(answer))

    def trades_frame(self, trades: list[Trade]) -> str:
        rows = [
            {"i": self.key(t), "T": t.us // 1000, "p": t.price, "v": self.counted(t.price, t.size),
             "S": "Buy" if t.side > 0 else "Sell", "s": self.symbol, "seq": 1, "BT": False}
            for t in trades
        ]  # fmt: skip
        topic = f"publicTrade.{self.symbol}"
        return json.dumps({"topic": topic, "ts": rows[-1]["T"], "type": "snapshot", "data": rows})

    def counted(self, price: str, size: str) -> str:
        """A size as the venue gives it."""
        return size

    def quote_frame(self, quote: Quote) -> str:
        bid = [quote.bid, self.counted(quote.bid, quote.bid_size)]
        ask = [quote.ask, self.counted(quote.ask, quote.ask_size)]
        data = {"s": self.symbol, "b": [bid], "a": [ask], "u": quote.id, "seq": 3}
        return json.dumps(
            {"topic": f"orderbook.1.{self.symbol}", "ts": quote.us // 1000 + 1, "type": "snapshot",
             "data": data, "cts": quote.us // 1000}
        )  # fmt: skip

    async def beat(self, socket):
        if self.quotes and "quotes" in self.topics.get(socket, ()):
            await socket.send(self.quote_frame(self.quotes[-1]))  # nothing has changed

    def get(self, path, query):
        now = time.time_ns()
        if path == "/v5/market/time":
            result = {"timeSecond": str(now // 10**9), "timeNano": str(now)}
            return 200, {"retCode": 0, "result": result, "time": now // 10**6}
        assert path == "/v5/market/recent-trade"
        if (query["category"], query["symbol"]) != (self.category, self.symbol):
            return 200, {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}}
        limit = int(query["limit"])
        if not 1 <= limit <= self.page:
            self.complaints.append(f"limit {limit}")
        rows = [
            {"execId": self.key(t), "symbol": self.symbol, "price": t.price,
             "size": self.counted(t.price, t.size), "side": "Buy" if t.side > 0 else "Sell",
             "time": str(t.us // 1000), "isBlockTrade": False}
            for t in self.known()[::-1][:limit]
        ]  # fmt: skip
        result = {"category": self.category, "list": rows}
        return 200, {"retCode": 0, "retMsg": "OK", "result": result, "time": now // 10**6}


class BybitInverseStandIn(BybitStandIn):
    """UUIDs, and contracts of 1 USD."""

    category, page = "inverse", 1000

    def key(self, trade: Trade) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(trade.id)))

    def counted(self, price: str, size: str) -> str:
        return repr(float(size) * float(price))

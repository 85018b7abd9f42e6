"""Kraken: a snapshot on subscribing, trades of one time left out on the socket, 1 request/s."""

from __future__ import annotations

import json
import time

from tests.streaming.venues.stand_in import Quote, StandIn, Trade, iso

RATE_S = 1.0


class KrakenStandIn(StandIn):
    """Docs: docs.kraken.com, websocket v2 and REST. Its pair is BTC/USD."""

    rest_limit = (1, RATE_S)
    banned = 200

    async def greet(self, socket):
        if socket.request.path != "/v2":
            self.complaints.append(f"no such path: {socket.request.path}")
        status = {"system": "online", "api_version": "v2", "connection_id": 16389994220698793191}
        await socket.send(json.dumps({"channel": "status", "type": "update", "data": [status]}))

    async def receive(self, socket, text):
        message = json.loads(text)
        if message["method"] == "ping":
            await socket.send(json.dumps({"method": "pong", "time_in": iso(0), "time_out": iso(0)}))
            return
        params = message["params"]
        for symbol in params["symbol"]:
            known = symbol == self.symbol
            ack = {"method": "subscribe", "success": known, "time_in": iso(0), "time_out": iso(0)}
            result = {"result": {"channel": params["channel"], "symbol": symbol}}
            error = {"error": f"Currency pair not supported {symbol}", "symbol": symbol}
            await socket.send(json.dumps(ack | (result if known else error)))
        if self.symbol not in params["symbol"]:
            return
        if params["channel"] == "ticker":
            assert params["event_trigger"] == "bbo"  # else it stands still between trades
            self.topics[socket].add("quotes")
            return
        self.topics[socket].add("trades")
        if params["snapshot"] and self.trades:
            await socket.send(self._frame(list(self.trades.values())[-50:], "snapshot"))

    async def stream(self, trades):
        """Of trades of one time, only the first is on the socket."""
        times = {trade.us: trade for trade in reversed(trades)}
        await super().stream(sorted(times.values()))

    def trades_frame(self, trades: list[Trade]) -> str:
        return self._frame(trades, "update")

    def _frame(self, trades: list[Trade], kind: str) -> str:
        rows = ",".join(
            f'{{"symbol":"{self.symbol}","side":"{"buy" if t.side > 0 else "sell"}",'
            f'"price":{t.price},"qty":{t.size}00,"ord_type":"market","trade_id":{t.id},'
            f'"timestamp":"{iso(t.us)}"}}'
            for t in trades
        )
        return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'

    def quote_frame(self, quote: Quote) -> str:
        return (
            f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{self.symbol}",'
            f'"bid":{quote.bid},"bid_qty":{quote.bid_size},"ask":{quote.ask},'
            f'"ask_qty":{quote.ask_size},"last":1.0,"timestamp":"{iso(quote.us)}"}}]}}'
        )

    async def beat(self, socket):
        await socket.send('{"channel":"heartbeat"}')

    def get(self, path, query):
        if path == "/0/public/Time":
            return 200, {"error": [], "result": {"unixtime": int(time.time()), "rfc1123": ""}}
        if path != "/0/public/Trades" or query["pair"] != "XBTUSD":
            return 200, {"error": ["EQuery:Unknown asset pair"]}
        count = int(query.get("count", 1000))
        if not 1 <= count <= 1000:
            self.complaints.append(f"count {count}")
        if "since" in query:
            found = [t for t in self.known() if t.us * 1000 > int(query["since"])][:count]
        else:
            found = self.known()[-count:]
        rows = [
            [t.price, t.size, t.us / 1e6, "b" if t.side > 0 else "s", "m", "", t.id] for t in found
        ]
        last = str(found[-1].us * 1000) if found else query.get("since", "0")
        return 200, {"error": [], "result": {"XXBTZUSD": rows, "last": last}}

    async def _answer(self, socket, request):
        response = await super()._answer(socket, request)
        if response is not None and b"too many" in (response.body or b""):
            response.body = b'{"error":["EGeneral:Too many requests"]}'
            response.headers["Content-Length"] = str(len(response.body))
        return response

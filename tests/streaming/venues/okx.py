"""OKX: two addresses, text pings, cut after 30 s of silence, pages of 100, contract sizes."""

from __future__ import annotations

import json
import time

from tests.streaming.venues.stand_in import Quote, StandIn, Trade

ROUTES = {"/ws/v5/business": {"trades-all"}, "/ws/v5/public": {"bbo-tbt", "trades"}}


class OkxStandIn(StandIn):
    """Docs: okx.com/docs-v5."""

    rest_limit = (20, 2.0)
    contract = 0.0  # the base currency in one; 0: sizes are in base currency

    async def receive(self, socket, text):
        if text == "ping":
            await socket.send("pong")
            return
        for topic in json.loads(text)["args"]:
            if topic["channel"] not in ROUTES.get(socket.request.path, ()):
                self.complaints.append(f"{topic} on {socket.request.path}")
                await socket.send('{"event":"error","code":"60018","msg":"Wrong URL or channel"}')
                continue
            assert topic["instId"] == self.symbol
            kind = "quotes" if topic["channel"] == "bbo-tbt" else "trades"
            self.topics[socket].add(kind)
            ack = {"event": "subscribe", "arg": topic, "connId": "a4d3ae55"}
            await socket.send(json.dumps(ack))

    def trades_frame(self, trades: list[Trade]) -> str:
        assert len(trades) == 1
        arg = {"channel": "trades-all", "instId": self.symbol}
        return json.dumps({"arg": arg, "data": [self._row(trades[0])]})

    def _row(self, trade: Trade) -> dict:
        return {"instId": self.symbol, "tradeId": str(trade.id), "px": trade.price,
                "sz": self._counted(trade.size), "side": "buy" if trade.side > 0 else "sell",
                "source": "0", "ts": str(trade.us // 1000)}  # fmt: skip

    def _counted(self, size: str) -> str:
        return repr(float(size) / self.contract) if self.contract else size

    def quote_frame(self, quote: Quote) -> str:
        bid = [quote.bid, self._counted(quote.bid_size), "0", "2"]
        ask = [quote.ask, self._counted(quote.ask_size), "0", "2"]
        data = {"asks": [ask], "bids": [bid], "ts": str(quote.us // 1000), "seqId": quote.id}
        return json.dumps({"arg": {"channel": "bbo-tbt", "instId": self.symbol}, "data": [data]})

    def get(self, path, query):
        if path == "/api/v5/public/time":
            return 200, {"code": "0", "msg": "", "data": [{"ts": str(time.time_ns() // 10**6)}]}
        if query["instId"] != self.symbol:
            return 200, {"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []}
        if path == "/api/v5/public/instruments":
            row = {"instId": self.symbol, "instType": "SWAP", "ctType": "linear", "ctMult": "1",
                   "ctVal": str(self.contract), "ctValCcy": "BTC"}  # fmt: skip
            return 200, {"code": "0", "msg": "", "data": [row]}
        assert path == "/api/v5/market/history-trades"
        limit = int(query.get("limit", 100))
        if not 1 <= limit <= 100:
            self.complaints.append(f"limit {limit}")
        older = [t for t in self.known() if t.id < int(query.get("after", 2**62))]
        rows = [self._row(trade) for trade in older[::-1][:limit]]
        return 200, {"code": "0", "msg": "", "data": rows}


class OkxSwapStandIn(OkxStandIn):
    """Contracts of 0.01."""

    contract = 0.01

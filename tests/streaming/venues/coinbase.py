"""Coinbase Exchange: the maker's side, the last match on subscribing, a heartbeat a second."""

from __future__ import annotations

import json
import time

from tests.streaming.venues.stand_in import Quote, StandIn, Trade, iso


class CoinbaseStandIn(StandIn):
    """Docs: docs.cdp.coinbase.com/exchange."""

    rest_limit = (10, 1.0)

    async def receive(self, socket, text):
        message = json.loads(text)
        assert (message["type"], message["product_ids"]) == ("subscribe", [self.symbol])
        names = {"matches": "trades", "ticker": "quotes", "heartbeat": "heartbeat"}
        self.topics[socket] |= {names[channel] for channel in message["channels"]}
        channels = [{"name": c, "product_ids": [self.symbol]} for c in message["channels"]]
        await socket.send(json.dumps({"type": "subscriptions", "channels": channels}))
        if self.trades:
            (newest,) = list(self.trades.values())[-1:]
            await socket.send(self._match(newest, "last_match"))

    def trades_frame(self, trades: list[Trade]) -> str:
        assert len(trades) == 1
        return self._match(trades[0], "match")

    def _match(self, trade: Trade, kind: str) -> str:
        return json.dumps(
            {"type": kind, **self._row(trade), "maker_order_id": "ac928c66", "taker_order_id": "1",
             "product_id": self.symbol, "sequence": 40 + 13 * trade.id}
        )  # fmt: skip

    def _row(self, trade: Trade) -> dict:
        return {"trade_id": trade.id, "side": "buy" if trade.side < 0 else "sell",
                "size": trade.size, "price": trade.price, "time": iso(trade.us)}  # fmt: skip

    def quote_frame(self, quote: Quote) -> str:
        return json.dumps(
            {"type": "ticker", "sequence": quote.id, "product_id": self.symbol, "price": "1",
             "open_24h": "1", "best_bid": quote.bid, "best_bid_size": quote.bid_size,
             "best_ask": quote.ask, "best_ask_size": quote.ask_size, "side": "buy",
             "time": iso(quote.us), "trade_id": 1, "last_size": "1"}
        )  # fmt: skip

    async def beat(self, socket):
        if "heartbeat" in self.topics.get(socket, ()):
            beat = {"type": "heartbeat", "sequence": 1, "product_id": self.symbol}
            beat |= {"last_trade_id": self.next_id - 1, "time": iso(time.time_ns() // 1000)}
            await socket.send(json.dumps(beat))

    def get(self, path, query):
        if path == "/time":
            return 200, {"iso": iso(time.time_ns() // 1000), "epoch": time.time()}
        if path != f"/products/{self.symbol}/trades":
            return 404, {"message": "NotFound"}
        limit = int(query.get("limit", 1000))
        if not 1 <= limit <= 1000:
            self.complaints.append(f"limit {limit}")
        older = [t for t in self.known() if t.id < int(query.get("after", 2**62))]
        return 200, [self._row(trade) for trade in older[::-1][:limit]]

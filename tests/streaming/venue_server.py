"""A small venue on loopback in Binance's documented spot format: streams and REST.

Written from the documentation (raw and combined streams, ``historicalTrades``, ``aggTrades``,
``time``) and on purpose not from the project's own exchange, so that two readings of the
format meet in the tests. Faults are methods; what REST knows is a dictionary a test can thin.

    async with VenueServer(["BTCUSDT"]) as venue:
        await venue.trade("BTCUSDT", 100)        # ids go on from where they were
        venue.forget("BTCUSDT", range(40, 50))   # REST does not have these
        await venue.close_all(1012)
"""

from __future__ import annotations

import asyncio
import http
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response


class VenueServer:
    """One market's server; all methods belong to the loop it was started in."""

    def __init__(self, symbols: Iterable[str], channel: str = "trade", first_id: int = 1) -> None:
        self.channel = channel
        self.next_id = dict.fromkeys(symbols, first_id)
        self.history: dict[str, dict[int, dict]] = defaultdict(dict)
        self.followers: dict[ServerConnection, set[str]] = {}
        self.connections = 0  # accepted so far
        self.refusals: list[tuple[int, dict[str, str]]] = []  # for the next connections
        self.requests: list[str] = []  # REST paths asked for
        self.streams: list[str] = []  # paths of connections asked for
        self.rest_status = 200
        self.clock_off_s = 0.0  # how far the venue's clock is ahead of ours: ``set_clock``
        self.rest_open = asyncio.Event()  # cleared: REST takes requests and does not answer
        self.rest_open.set()
        self.replay_on_connect = 0  # trades sent again to whoever connects
        self._time_ms = int(time.time() * 1000) - 600_000
        self._server: Server

    async def __aenter__(self) -> VenueServer:
        self._server = await serve(
            self._stream, "127.0.0.1", 0, process_request=self._answer, compression=None
        )
        port = self._server.sockets[0].getsockname()[1]
        self.ws, self.rest = f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.rest_open.set()
        self._server.close()
        await self._server.wait_closed()

    # ---- the market

    def set_clock(self, off_s: float) -> None:
        """Set the venue's clock apart from ours; its trades are of now from here on."""
        self.clock_off_s = off_s
        self._time_ms = int((time.time() + off_s) * 1000)

    def happen(self, symbol: str, n: int) -> list[dict]:
        """Let ``n`` trades happen without streaming them; REST has them."""
        made = []
        for _ in range(n):
            i = self.next_id[symbol]
            self.next_id[symbol] += 1
            self._time_ms += 37
            made.append(
                {"i": i, "p": f"{20000 + i % 97}.{i % 10}0000000", "q": f"0.{1 + i % 9}0000000",
                 "T": self._time_ms, "m": i % 3 == 0}
            )  # fmt: skip
            self.history[symbol][i] = made[-1]
        return made

    async def trade(self, symbol: str, n: int) -> None:
        """Let ``n`` trades happen and stream them."""
        for trade in self.happen(symbol, n):
            await self.send(symbol, trade)

    def forget(self, symbol: str, ids: Iterable[int]) -> None:
        """Take trades from what REST knows."""
        for i in ids:
            del self.history[symbol][i]

    # ---- streams

    async def send(self, symbol: str, trade: dict) -> None:
        """Stream one trade to whoever follows the symbol."""
        await self.send_event(symbol, self._event(symbol, trade))

    async def send_event(self, symbol: str, event: dict) -> None:
        """Stream any event to whoever follows the symbol."""
        stream = f"{symbol.encode().lower().decode()}@{self.channel}"
        text = json.dumps({"stream": stream, "data": event})
        for socket, streams in list(self.followers.items()):
            if stream in streams:
                await socket.send(text)

    async def send_frame(self, frame: str | bytes) -> None:
        """Send anything to everyone."""
        for socket in list(self.followers):
            await socket.send(frame)

    async def close_all(self, code: int) -> None:
        """Close every connection properly."""
        await asyncio.gather(*(socket.close(code, "restart") for socket in list(self.followers)))

    def abort_all(self) -> None:
        """Cut every connection without a word."""
        for socket in list(self.followers):
            socket.transport.abort()

    def _event(self, symbol: str, trade: dict) -> dict:
        event = {"e": self.channel, "E": trade["T"] + 1, "s": symbol}
        if self.channel == "aggTrade":
            event |= {"a": trade["i"], "f": 2 * trade["i"], "l": 2 * trade["i"] + 1}
        else:
            event |= {"t": trade["i"]}
        return event | {name: trade[name] for name in ("p", "q", "T", "m")} | {"M": True}

    async def _stream(self, socket: ServerConnection) -> None:
        streams = parse_qs(urlsplit(socket.request.path).query)["streams"][0].split("/")
        self.connections += 1
        self.followers[socket] = set(streams)
        for stream in streams:
            symbol = stream.partition("@")[0].encode().upper().decode()
            again = list(self.history[symbol].values())[-self.replay_on_connect :]
            for trade in again if self.replay_on_connect else []:
                await self.send(symbol, trade)
        try:
            await socket.wait_closed()
        finally:
            del self.followers[socket]

    # ---- REST

    async def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path == "/stream":
            self.streams.append(request.path)
            if not self.refusals:
                return None
            status, headers = self.refusals.pop(0)
            return _reply(status, {}, headers)
        self.requests.append(request.path)
        await self.rest_open.wait()
        if self.rest_status != 200:
            return _reply(self.rest_status, {"code": -1003, "msg": "Too many requests."})
        if url.path == "/api/v3/time":
            return _reply(200, {"serverTime": int((time.time() + self.clock_off_s) * 1000)})
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/v3/exchangeInfo" and query["symbol"] in self.next_id:
            return _reply(200, {"symbols": [{"symbol": query["symbol"], "status": "TRADING"}]})
        wanted = {"trade": "/api/v3/historicalTrades", "aggTrade": "/api/v3/aggTrades"}
        if url.path != wanted[self.channel] or query["symbol"] not in self.next_id:
            return _reply(400, {"code": -1121, "msg": "Invalid symbol."})
        known = self.history[query["symbol"]]
        ids, limit = sorted(known), int(query["limit"])
        if "fromId" in query:
            ids = [i for i in ids if i >= int(query["fromId"])][:limit]
        else:
            ids = ids[-limit:]
        assert 1 <= int(query["limit"]) <= 1000
        return _reply(200, [self._row(known[i]) for i in ids])

    def _row(self, trade: dict) -> dict:
        if self.channel == "aggTrade":
            event = self._event("", trade)
            return {name: event[name] for name in ("a", "p", "q", "f", "l", "T", "m", "M")}
        return {"id": trade["i"], "price": trade["p"], "qty": trade["q"], "quoteQty": "1",
                "time": trade["T"], "isBuyerMaker": trade["m"], "isBestMatch": True}  # fmt: skip


def _reply(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    data = json.dumps(body).encode()
    fields = {"Content-Length": str(len(data)), "Connection": "close", **(headers or {})}
    return Response(status, http.HTTPStatus(status).phrase, Headers(fields), data)

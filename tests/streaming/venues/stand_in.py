"""A venue on loopback as the stand-ins of all venues share it: a market, sockets, REST, rules.

A stand-in is written from its venue's documentation, and not from the code that reads it. What it
has seen of its client that its venue would punish is in ``complaints``; a test ends with none.

    async with CoinbaseStandIn("BTC-USD") as venue:
        await venue.trade(100)                   # they happen and are streamed
        venue.happen(30)                         # only REST has them
        await venue.cut()
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import time
from collections import deque
from typing import ClassVar, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


class Trade(NamedTuple):
    """A trade: time in us, the taker's side, +1 or -1."""

    id: int
    us: int
    price: str
    size: str
    side: int


class Quote(NamedTuple):
    """The best bid and ask: update id, time in us, prices and sizes."""

    id: int
    us: int
    bid: str
    bid_size: str
    ask: str
    ask_size: str


class StandIn:
    """One market of a venue.

    Attributes:
        trades: all that have happened, by id.
        quotes: all that were streamed.
        complaints: what the venue would punish.
        asked: REST requests, as (path, query).
        connections: how many there have been.
        mute: whether nothing is sent any more.
    """

    step_us: ClassVar[int] = 37_000  # from trade to trade
    rest_limit: ClassVar[tuple[int, float]] = (10_000, 1.0)  # weight, in seconds
    banned: ClassVar[int] = 429  # the status of an answer to who asks too often
    subscribe_s: ClassVar[float] = 5.0  # who has not subscribed by then is thrown out

    def __init__(self, symbol: str, first_id: int = 1001) -> None:
        self.symbol = symbol
        self.next_id = first_id
        self.trades: dict[int, Trade] = {}
        self.forgotten: set[int] = set()  # REST does not have them
        self.quotes: list[Quote] = []
        self.complaints: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.mute = False
        self.topics: dict[ServerConnection, set[str]] = {}
        self._spent: deque[tuple[float, int]] = deque()
        self._us = (time.time_ns() // 1000) - 600_000_000
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle, "127.0.0.1", 0, process_request=self._answer, compression=None
        )
        port = self._server.sockets[0].getsockname()[1]
        self.ws, self.rest = f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        self._server.close()
        await self._server.wait_closed()

    # ---- the market

    def happen(self, n: int, *, same_time: bool = False) -> list[Trade]:
        """Let ``n`` trades happen without streaming them; REST has them."""
        made = []
        for k in range(n):
            i, self.next_id = self.next_id, self.next_id + 1
            self._us += 0 if same_time and k else self.step_us
            price, size = f"{20_000 + i % 97}.{i % 10}", f"0.{1 + i % 9}"
            made.append(Trade(i, self._us, price, size, 1 if i % 3 else -1))
            self.trades[i] = made[-1]
        return made

    async def trade(self, n: int) -> None:
        """Let ``n`` trades happen and stream them, with a quote after every fifth."""
        for trade in self.happen(n):
            await self.stream([trade])
            if trade.id % 5 == 0:
                await self.quote()

    async def stream(self, trades: list[Trade]) -> None:
        """Send trades to those who follow them, in one frame."""
        await self.send(self.trade_topic, self.trades_frame(trades))

    async def quote(self) -> None:
        """Let the best bid and ask change, and stream it."""
        k = len(self.quotes)
        self.quotes.append(
            Quote(5000 + 3 * k, self._us, f"{20_000 + k}.1", f"{1 + k % 7}.5", f"{20_000 + k}.2",
                  f"{2 + k % 5}.25")
        )  # fmt: skip
        await self.send(self.quote_topic, self.quote_frame(self.quotes[-1]))

    def forget(self, trades: list[Trade]) -> None:
        """Take trades from what REST has."""
        self.forgotten |= {trade.id for trade in trades}

    # ---- sockets

    async def send(self, topic: str, frame: str) -> None:
        """Send a frame to those who follow a topic."""
        for socket, topics in list(self.topics.items()):
            if topic in topics and not self.mute:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(frame)

    async def say(self, frame: str) -> None:
        """Send a frame to everyone."""
        for socket in list(self.topics):
            with contextlib.suppress(ConnectionClosed):
                await socket.send(frame)

    async def close(self, code: int = 1012) -> None:
        """End every connection properly."""
        sockets = list(self.topics)
        self.topics |= {socket: set() for socket in sockets}
        await asyncio.gather(*(socket.close(code, "restart") for socket in sockets))

    def cut(self) -> None:
        """End every connection without a word."""
        for socket in list(self.topics):
            self.topics[socket] = set()
            socket.transport.abort()

    @property
    def followed(self) -> bool:
        """Whether somebody follows both trades and quotes."""
        found = set().union(*self.topics.values()) if self.topics else set()
        return {self.trade_topic, self.quote_topic} <= found

    async def _handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.topics[socket] = set()
        late = asyncio.get_running_loop().call_later(self.subscribe_s, self._late, socket)
        try:
            await self.greet(socket)
            async for text in socket:
                await self.receive(socket, text)
        except ConnectionClosed:
            pass
        finally:
            late.cancel()
            del self.topics[socket]

    def _late(self, socket: ServerConnection) -> None:
        if not self.topics.get(socket):
            self.complaints.append(f"not subscribed within {self.subscribe_s} s")
            socket.transport.abort()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            if not self.mute:
                for socket in list(self.topics):
                    with contextlib.suppress(ConnectionClosed):
                        await self.beat(socket)

    # ---- REST

    def known(self) -> list[Trade]:
        """What REST has, oldest first."""
        return [trade for id, trade in self.trades.items() if id not in self.forgotten]

    async def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append((unquote(url.path), query))
        if self._is_over(self.weight(url.path)):
            self.complaints.append(f"asked too often: {request.path}")
            return reply(self.banned, {"message": "too many"}, {"Retry-After": "1"})
        return reply(*self.get(unquote(url.path), query))

    def _is_over(self, weight: int) -> bool:
        most, seconds = self.rest_limit
        now = time.monotonic()
        while self._spent and self._spent[0][0] <= now - seconds:
            self._spent.popleft()
        self._spent.append((now, weight))
        return sum(each for _, each in self._spent) > most

    # ---- what is each venue's own

    trade_topic: ClassVar[str] = "trades"
    quote_topic: ClassVar[str] = "quotes"

    async def greet(self, socket: ServerConnection) -> None:
        """Say what the venue says to whoever connects; some subscribe by the path."""

    async def receive(self, socket: ServerConnection, text: str | bytes) -> None:
        """Take a message of the client."""

    async def beat(self, socket: ServerConnection) -> None:
        """Send the venue's heartbeat, if it has one."""

    def trades_frame(self, trades: list[Trade]) -> str:
        """Return trades as the venue streams them."""
        raise NotImplementedError

    def quote_frame(self, quote: Quote) -> str:
        """Return a quote as the venue streams it."""
        raise NotImplementedError

    def weight(self, path: str) -> int:
        """Return what a request costs."""
        return 1

    def get(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        """Return status and body of a REST reply."""
        raise NotImplementedError


def reply(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """Return a REST reply."""
    data = json.dumps(body).encode()
    fields = {"Content-Length": str(len(data)), "Connection": "close", **(headers or {})}
    return Response(status, http.HTTPStatus(status).phrase, Headers(fields), data)


def iso(us: int) -> str:
    """Return a time, us, as RFC 3339 has it."""
    seconds, micros = divmod(us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06}Z"

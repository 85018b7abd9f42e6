"""The exchange on a socket: Binance's streams and REST on one loopback port, and faults.

GET /ws/btcusdt@trade    /ws    /stream?streams=btcusdt@trade/ethusdt@aggTrade    websockets
GET /api/v3/...                                                                   REST
GET /sim/fault?kind=drop                                                          faults
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from streaming.config import StreamConfig
from streaming.exchange.clients import Client, Clients
from streaming.exchange.faults import Faults
from streaming.exchange.protocol.rest import Rest
from streaming.exchange.protocol.subscriptions import Subscriptions
from streaming.exchange.protocol.wire import unit_of
from streaming.exchange.simulator import SLICE_ROWS, MarketSimulator
from streaming.rings.credit import Credits

HOST = "127.0.0.1"
TICK_S = 0.01  # how often due rows are sent
SYMBOL_TICK_S = 0.0005  # ... for each symbol, if that is more: each time costs the same for each
WAITING_TICK_S = 0.002  # ... while a market waits for a trainer that answers at once
ANSWER_S = 0.25  # how long such an answer takes at most

# Binance's: a ping every 20 s, answered within a minute.
PING_S, PONG_S = 20, 60
MAX_REQUEST_BYTES = 64 * 1024

CLOSE_S = 60  # time a client has to read what was sent before the close
STOP_S = 0.5  # ... when the exchange itself ends


class Exchange:
    """A venue on this machine.

    Use it as a context manager: ``async with Exchange(config, folder) as exchange``.

    Args:
        config: names the market or tape; the port is the one of ``venue_ws``, any free one if
            that is empty.
        folder: keeps the market's clock across restarts.
        wall_ns: returns our time, ns since the Unix epoch.
        credits: the credits of those who follow the market; None if it waits for nobody.

    Raises:
        ConfigError: if there is no market of that name.
        TapeError: if the tape cannot be read, or a symbol is not on it.
        OSError: on entering, if the port is in use.
    """

    def __init__(
        self,
        config: StreamConfig,
        folder: Path,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        credits: Credits | None = None,
    ) -> None:
        self.clients = Clients()
        self._simulator = MarketSimulator(config, folder, wall_ns, credits)
        self.faults = Faults(self.clients, self._simulator)
        self._rest = Rest(
            {symbol: each.history for symbol, each in self._simulator.playbacks.items()},
            self._simulator.market_ns,
            lambda symbol: self._simulator.playbacks[symbol].book,
        )
        self._port = urlsplit(config.venue_ws).port or 0
        self._server: Server

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle,
            HOST,
            self._port,
            process_request=self._process_request,
            compression=None,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            close_timeout=CLOSE_S,
            max_size=MAX_REQUEST_BYTES,
        )
        self.pacing = asyncio.create_task(self._pace())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.pacing.cancel()
        self._server.close()
        try:
            await asyncio.wait_for(self._server.wait_closed(), STOP_S)
        except TimeoutError:
            for connection in list(self._server.all_connections):
                connection.transport.abort()
            await self._server.wait_closed()

    async def _pace(self) -> None:
        sent, tick = 0.0, max(TICK_S, SYMBOL_TICK_S * len(self._simulator.playbacks))
        while True:
            rows = 0
            for symbol, chunk in self._simulator.advance():
                if len(chunk):
                    sent = time.monotonic()
                if not self.faults.stalled:
                    self.clients.publish(symbol, chunk)
                if (rows := rows + len(chunk)) >= SLICE_ROWS:
                    self.clients.flush()
                    await asyncio.sleep(0)
                    rows = 0
            self.clients.flush()
            if self._simulator.ended:
                self.clients.close(1000, "end of tape", subscribed_only=True)
            answers = self._simulator.is_waiting and time.monotonic() - sent < ANSWER_S
            await asyncio.sleep(WAITING_TICK_S if answers else tick)

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None  # for mypy
        client = Client(connection, _subscriptions(connection.request.path))
        self.clients.add(client)
        try:
            self._start_for(client)
            async for text in connection:
                await connection.send(client.subscriptions.receive(text), text=True)
                self._start_for(client)
        except ConnectionClosed:
            pass  # the client will connect again, or not
        finally:
            self.clients.discard(client)

    def _start_for(self, client: Client) -> None:
        """Start a tape when the first client has subscribed, so that none misses its beginning."""
        if any(client.subscriptions.of(symbol) for symbol in self._simulator.playbacks):
            self._simulator.start()

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query))
        if url.path == "/sim/fault":
            return _json(connection, *self.faults.request(query))
        if refusal := self.faults.take_refusal():
            status, retry_after = refusal
            response = connection.respond(status, "refused on request\n")
            if retry_after:
                response.headers["Retry-After"] = retry_after
            return response
        if url.path.split("/")[1] in ("ws", "stream"):
            return None
        unit_ns = unit_of(request.headers.get("X-MBX-TIME-UNIT"))
        return _json(connection, *self._rest.get(url.path, query, unit_ns))


def _subscriptions(target: str) -> Subscriptions:
    url = urlsplit(target)
    query = dict(parse_qsl(url.query))
    combined = url.path.startswith("/stream")
    # Split before it is decoded: a symbol may have a / of its own.
    encoded = dict(part.partition("=")[::2] for part in url.query.split("&"))
    names = encoded.get("streams", "") if combined else url.path.removeprefix("/ws")
    return Subscriptions(
        map(unquote, names.split("/")), combined=combined, unit_ns=unit_of(query.get("timeUnit"))
    )


def _json(connection: ServerConnection, status: int, body: bytes) -> Response:
    response = connection.respond(status, body.decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response

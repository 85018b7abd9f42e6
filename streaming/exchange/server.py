"""The exchange on a socket: Binance's streams and REST on one loopback port, and faults.

GET /ws/btcusdt@trade    /ws    /stream?streams=btcusdt@trade/ethusdt@aggTrade    websockets
GET /api/v3/...                                                                   REST
GET /sim/fault?kind=drop                                                          faults
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from streaming.config import StreamConfig
from streaming.exchange.control import Subscriptions
from streaming.exchange.faults import Faults
from streaming.exchange.play import Play
from streaming.exchange.rest import Rest
from streaming.exchange.trades import Trades
from streaming.exchange.wire import Stream, frames, unit_of

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
TICK_S = 0.01  # how often due trades are sent

# Binance's: a ping every 20 s, answered within a minute.
PING_S, PONG_S = 20, 60
MAX_REQUEST_BYTES = 64 * 1024

# A client that leaves this much unread is disconnected.
MAX_UNSENT_BYTES = 16 * 2**20
CLOSE_S = 60  # time to read what was sent before the close
STOP_S = 0.5  # ... when the exchange itself ends


class Client:
    """One websocket and what it has subscribed to."""

    def __init__(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        self.connection = connection
        self.subscriptions = subscriptions


class Exchange:
    """A venue on this machine.

    Use it as a context manager: ``async with Exchange(config, folder) as exchange``.

    Args:
        config: what to play; the port is the one of ``venue_ws``, any free one if empty.
        folder: keeps the market's clock across restarts.
        wall_ns: our clock, ns since the Unix epoch.

    Raises:
        KnobError: if there is no market of that name.
        TapeError: if the tape cannot be read, or a symbol is not on it.
        OSError: on entering, if the port is in use.
    """

    def __init__(
        self, config: StreamConfig, folder: Path, *, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.play = Play(config, folder, wall_ns)
        self.faults = Faults(self)
        self.clients: set[Client] = set()
        self._rest = Rest(
            {symbol: player.history for symbol, player in self.play.players.items()},
            self.play.market_ns,
        )
        self._port = urlsplit(config.venue_ws).port or 0
        self._server: Server
        self._tasks: set[asyncio.Task[None]] = set()

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
        while True:
            for symbol, trades in self.play.happen():
                self._publish(symbol, trades)
                await asyncio.sleep(0)
            if self.play.ended:
                self.close_all(1000, "end of tape")
            await asyncio.sleep(TICK_S)

    def _publish(self, symbol: str, trades: Trades) -> None:
        """Send trades to all who follow them, encoded once for each kind of stream."""
        if len(trades) == 0 or self.faults.stalled:
            return
        followers: dict[Stream, list[ServerConnection]] = {}
        for client in self.clients:
            for stream in client.subscriptions.streams():
                if stream.symbol == symbol:
                    followers.setdefault(stream, []).append(client.connection)
        for stream, connections in followers.items():
            for frame in frames(stream, trades):
                broadcast(connections, frame, text=True)
        for client in list(self.clients):
            if client.connection.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                logger.warning("%s: too slow, disconnected", client.connection.remote_address)
                self.close(client, 1008, "too slow")

    def close(self, client: Client, code: int, reason: str) -> None:
        """Send a client nothing more and close its connection."""
        self.clients.discard(client)
        self._spawn(client.connection.close(code, reason))

    def close_all(self, code: int, reason: str) -> None:
        """Close the connections of all that have subscribed to anything."""
        for client in [client for client in self.clients if client.subscriptions.names]:
            self.close(client, code, reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        """Start a tape once somebody listens, so that nobody misses its beginning."""
        symbols = {stream.symbol for stream in client.subscriptions.streams()}
        if symbols & self.play.players.keys():
            self.play.start()

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
    names = query.get("streams", "") if combined else url.path.removeprefix("/ws")
    return Subscriptions(
        names.split("/"), combined=combined, unit_ns=unit_of(query.get("timeUnit"))
    )


def _json(connection: ServerConnection, status: int, body: bytes) -> Response:
    response = connection.respond(status, body.decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response

"""The websockets of an exchange: each gets the trades that it has subscribed to."""

from __future__ import annotations

import asyncio
import logging

from websockets.asyncio.server import ServerConnection, broadcast

from streaming.exchange.protocol.subscriptions import Subscriptions
from streaming.exchange.protocol.trades import Trades
from streaming.exchange.protocol.wire import Stream, frames

logger = logging.getLogger(__name__)

# A client that leaves this much unread is disconnected.
MAX_UNSENT_BYTES = 16 * 2**20


class Client:
    """One websocket and its subscriptions."""

    def __init__(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        self.connection = connection
        self.subscriptions = subscriptions


class Clients:
    """All websockets that are open."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client) -> None:
        """Serve a client that has connected."""
        self._clients.add(client)

    def discard(self, client: Client) -> None:
        """Forget a client, which may have been forgotten already."""
        self._clients.discard(client)

    def publish(self, symbol: str, trades: Trades) -> None:
        """Send trades to all who follow the symbol, encoded once for each kind of stream."""
        if len(trades) == 0:
            return
        followers: dict[Stream, list[ServerConnection]] = {}
        for client in self._clients:
            for stream in client.subscriptions.streams():
                if stream.follows(symbol):
                    spelled = stream._replace(symbol=symbol)
                    followers.setdefault(spelled, []).append(client.connection)
        for stream, connections in followers.items():
            for frame in frames(stream, trades):
                broadcast(connections, frame, text=True)
        for client in list(self._clients):
            if client.connection.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                logger.warning("%s: too slow, disconnected", client.connection.remote_address)
                self._close(client, 1008, "too slow")

    def send(self, text: str) -> None:
        """Send a text to all."""
        broadcast([client.connection for client in self._clients], text)

    def abort(self) -> None:
        """Cut all TCP connections."""
        for client in list(self._clients):
            client.connection.transport.abort()

    def close(self, code: int, reason: str, *, subscribed_only: bool = False) -> None:
        """Send no more and close all connections, or those that have subscribed to anything."""
        for client in list(self._clients):
            if client.subscriptions.names or not subscribed_only:
                self._close(client, code, reason)

    def _close(self, client: Client, code: int, reason: str) -> None:
        self._clients.discard(client)
        task = asyncio.create_task(client.connection.close(code, reason))
        self._closing.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._closing.discard)

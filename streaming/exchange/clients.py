"""The websockets of an exchange: each gets what it has subscribed to, in the market's order."""

from __future__ import annotations

import asyncio
import functools
import heapq
import logging
import operator

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.subscriptions import Subscriptions
from streaming.exchange.protocol.wire import WireStream, frames

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

    def publish(self, symbol: str, chunk: Chunk) -> None:
        """Frame rows for all who follow the symbol; ``flush`` sends them.

        They are encoded once for each kind of stream.
        """
        if len(chunk) == 0:
            return
        encoded = functools.cache(lambda stream: frames(stream, chunk))
        for streams, connections in self._followers(symbol).items():
            in_order = heapq.merge(*map(encoded, streams), key=operator.itemgetter(0))
            texts = [text for _, text in in_order]
            for protocol in [each.protocol for each in connections]:
                if protocol.state is State.OPEN:
                    for text in texts:
                        protocol.send_text(text)

    def flush(self) -> None:
        """Send what was published, in one piece a client: a write for each frame costs most."""
        for client in list(self._clients):
            connection = client.connection
            if connection.protocol.state is State.OPEN:
                connection.transport.write(b"".join(connection.protocol.data_to_send()))
            if connection.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                logger.warning("%s: too slow, disconnected", connection.remote_address)
                self._close(client, 1008, "too slow")

    def _followers(self, symbol: str) -> dict[tuple[WireStream, ...], list[ServerConnection]]:
        """Return the connections that follow a symbol, by the streams of it that they want."""
        followers: dict[tuple[WireStream, ...], list[ServerConnection]] = {}
        for client in self._clients:
            if mine := client.subscriptions.of(symbol):
                followers.setdefault(mine, []).append(client.connection)
        return followers

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

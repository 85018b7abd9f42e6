"""Messages of a read come at once, in the order sent, whole or in fragments."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from streaming.feed.connection.batching import Batcher, Pulse
from streaming.feed.connection.open_socket import ChunkedConnection, connect

FRAGMENTS = ["c", "", "d"]


async def in_fragments():
    for part in FRAGMENTS:
        yield part


def received(send) -> list[bytes]:
    """What a batcher gathers of what a server sends until it ends the connection."""
    frames: list[bytes] = []
    pulse = Pulse()

    async def handler(socket):
        await socket.recv()
        await send(socket)

    async def main():
        batcher = Batcher(lambda batch, stamps: frames.extend(batch), lambda error: None)
        async with serve(handler, "127.0.0.1", 0, compression=None) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(
                f"ws://127.0.0.1:{port}", create_connection=ChunkedConnection, proxy=None
            ) as socket:
                await socket.send("go")
                await socket.ping()  # some may come before they are read
                with pytest.raises(ConnectionClosed):
                    await batcher.read(socket, pulse)
                batcher.flush()

    asyncio.run(main())
    assert pulse.frames == len(frames)
    return frames


def test_messages_in_fragments_keep_their_place_among_whole_ones():
    async def send(socket):
        for _ in range(3):
            await socket.send("a")
            await socket.send(b"b")
            await socket.send(in_fragments())
            await socket.send("e")

    assert received(send) == [b"a", b"b", b"cd", b"e"] * 3


def test_what_was_sent_before_the_end_is_read():
    async def send(socket):
        for i in range(10_000):
            await socket.send(str(i))

    assert received(send) == [str(i).encode() for i in range(10_000)]

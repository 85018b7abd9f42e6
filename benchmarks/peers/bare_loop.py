"""The least a feed can do: receive and decode, keep nothing.

python -m benchmarks.peers.bare_loop URL N
"""

from __future__ import annotations

import asyncio
import json
import sys

import msgspec
from websockets.asyncio.client import connect

from streaming.feed.connection.open_socket import MAX_MESSAGE_BYTES, MAX_QUEUE
from streaming.venues.binance_books import BOOK, Book
from streaming.venues.binance_messages import Trade


class Combined(msgspec.Struct):
    """A trade's frame of a combined stream."""

    data: Trade


class CombinedBook(msgspec.Struct):
    """A quote's frame of a combined stream."""

    data: Book


async def main(url: str, n: int) -> None:
    """Receive ``n`` frames over the connection the feed would make, then say so."""
    trade = msgspec.json.Decoder(Combined, strict=False).decode
    book = msgspec.json.Decoder(CombinedBook, strict=False).decode
    async with connect(
        url, compression=None, max_queue=MAX_QUEUE, max_size=MAX_MESSAGE_BYTES, proxy=None
    ) as socket:
        print(json.dumps("connected"), flush=True)
        last = 0
        for _ in range(n):
            frame = await socket.recv(decode=False)
            last = (book if BOOK in frame else trade)(frame).data.id
        print(json.dumps({"last_id": last}), flush=True)
        await socket.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

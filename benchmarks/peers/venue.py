"""A venue that sends as fast as its client reads: ``python -m benchmarks.peers.venue N [QUOTES]``.

Speaks Binance's documented format on loopback: ``/stream`` combined, ``/ws/...`` raw after a
SUBSCRIBE. Frames are encoded beforehand and written in large pieces, so that the
client, not the sender, is what is measured. The stream starts when ``GET /go`` comes. Each trade
is followed by ``QUOTES`` updates of the best bid and ask.
"""

from __future__ import annotations

import asyncio
import http
import json
import struct
import sys
import time

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PIECE = 256  # messages a write


def trade(i: int, time_ms: int) -> str:
    """Return trade ``i`` (from 1) of a made-up market; distinct ms, so that bars advance."""
    return (
        f'{{"e":"trade","E":{time_ms + 1},"s":"BTCUSDT","t":{i},"p":"{60000 + i % 97}.{i % 10}0'
        f'000000","q":"0.{1 + i % 9:05d}000","T":{time_ms},"m":{"true" if i % 3 else "false"},'
        '"M":true}'
    )


def quote(i: int) -> str:
    """Return update ``i`` (from 1) of the book, as spot has them: without a time."""
    return (
        f'{{"u":{i},"s":"BTCUSDT","b":"{60000 + i % 89}.{i % 10}0000000","B":"0.{i % 9:05d}000",'
        f'"a":"{60001 + i % 89}.{i % 10}0000000","A":"1.{i % 7:05d}000"}}'
    )


def frame(text: str) -> bytes:
    """Return ``text`` as an unmasked, unfragmented websocket frame."""
    data = text.encode()
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return b"\x81" + size + data


def pieces(n: int, *, combined: bool, quotes: int = 0) -> list[bytes]:
    """Return trades 1 to ``n``, 1 ms apart and all in the past, as the bytes of their frames.

    Each is followed by ``quotes`` updates of the book.
    """
    start = int(time.time() * 1000) - n - 1000
    head, tail = ('{"stream":"btcusdt@trade","data":', "}") if combined else ("", "")
    frames = []
    for i in range(1, n + 1):
        frames.append(frame(f"{head}{trade(i, start + i)}{tail}"))
        first = (i - 1) * quotes + 1
        for u in range(first, first + quotes):
            frames.append(frame(f'{{"stream":"btcusdt@bookTicker","data":{quote(u)}}}'))
    return [b"".join(frames[i : i + PIECE]) for i in range(0, len(frames), PIECE)]


class Venue:
    """Serves one client at a time."""

    def __init__(self, n: int, quotes: int) -> None:
        self._combined = pieces(n, combined=True, quotes=quotes)
        self._raw = pieces(n, combined=False)
        self._waits = asyncio.Event()  # a client has connected and subscribed
        self._go = asyncio.Event()

    async def stream(self, socket: ServerConnection) -> None:
        """Send all trades once told to; then leave the connection open."""
        assert socket.request is not None
        raw = socket.request.path.startswith("/ws")
        try:
            if raw:
                request = json.loads(await socket.recv())
                await socket.send(json.dumps({"result": None, "id": request["id"]}))
            self._waits.set()
            await self._go.wait()
            self._go.clear()
            for piece in self._raw if raw else self._combined:
                socket.transport.write(piece)
                await socket.drain()
            await socket.wait_closed()
        except (ConnectionClosed, OSError):
            pass  # the client has what it wanted

    async def answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer REST: the start signal, the clock, no history."""
        if request.path.startswith(("/stream", "/ws")):
            return None
        if request.path == "/go":
            await self._waits.wait()
            self._waits.clear()
            self._go.set()
        body = {"serverTime": int(time.time() * 1000)} if request.path.endswith("/time") else []
        data = json.dumps(body).encode()
        headers = Headers({"Content-Length": str(len(data)), "Connection": "close"})
        return Response(200, http.HTTPStatus.OK.phrase, headers, data)


async def main(n: int, quotes: int) -> None:
    """Serve until killed."""
    venue = Venue(n, quotes)
    async with serve(
        venue.stream, "127.0.0.1", 0, process_request=venue.answer, compression=None,
        write_limit=2**18, ping_interval=None,
    ) as server:  # fmt: skip
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int([*sys.argv, "0"][2])))

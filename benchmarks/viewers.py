"""Any number of viewers of the page's websocket, in a process of their own.

    python -m benchmarks.viewers WS_ADDRESS

Reads two numbers a line, viewers and seconds; so many are connected for so long; answers with the
bytes a second and viewer on the wire, frames compressed as a browser asks for.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from websockets.asyncio.client import ClientConnection, connect

SETTLE_MESSAGES = 2  # the first whole picture, and what came while it was sent


async def view(socket: ClientConnection, until: float) -> int:
    """Read until a time; return the bytes that the deltas took."""
    for _ in range(SETTLE_MESSAGES):
        await socket.recv()
    received, feed = 0, socket.protocol.receive_data

    def count(data: bytes) -> None:
        nonlocal received
        received += len(data)
        feed(data)

    socket.protocol.receive_data = count  # type: ignore[method-assign]  # what the wire brought
    while (left := until - time.monotonic()) > 0:
        try:
            await asyncio.wait_for(socket.recv(), left)
        except TimeoutError:
            break
    return received


async def crowd(address: str, viewers: int, seconds: float) -> float:
    """Connect so many; say when all are there; return the bytes a second and viewer."""
    sockets = [await connect(address, open_timeout=30) for _ in range(viewers)]
    print(json.dumps("there"), flush=True)
    until = time.monotonic() + seconds
    received = await asyncio.gather(*(view(socket, until) for socket in sockets))
    for socket in sockets:
        await socket.close()
    return sum(received) / viewers / seconds


def main() -> None:
    """Answer until the input ends."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        viewers, seconds = line.split()
        print(json.dumps(asyncio.run(crowd(sys.argv[1], int(viewers), float(seconds)))), flush=True)


if __name__ == "__main__":
    main()

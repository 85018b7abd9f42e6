"""/live/metrics?since=CYCLE: every metric and status as it comes, one JSON object a line.

    websocket                     a message a line
    GET                           application/x-ndjson
    GET, Accept: text/event-stream    server-sent events; ``id`` is the cycle

First comes every run's status, then, if ``since`` is given, the points of the cycles past it, and
then what is new. In silence there is a heartbeat every 10 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

import orjson
from fastapi import FastAPI, Header, HTTPException, Query, WebSocket, WebSocketDisconnect
from starlette.responses import StreamingResponse

from trainers.tracking.reader import TrackingAwayError
from ui.points.feed import Listener, Points, encode

HEARTBEAT_SECONDS = 10.0
MOST_LISTENERS = 50
TOO_MANY = 1013  # try again later
TOO_SLOW = "too slow: connect again with since=CYCLE of the last whole cycle"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Since = Annotated[int | None, Query(ge=0)]


def add_points(app: FastAPI, points: Points) -> None:
    """Serve the stream from ``app``."""

    @app.get("/live/metrics")
    async def by_http(
        since: Since = None, accept: str = Header(""), last_event_id: str = Header("")
    ) -> StreamingResponse:
        if len(points) >= MOST_LISTENERS:
            raise HTTPException(503, f"{MOST_LISTENERS} programs listen already")
        events = "text/event-stream" in accept
        if since is None and last_event_id.isdigit():
            since = max(0, int(last_event_id) - 1)  # its last cycle may not have been whole
        body = _framed(lines(points, since), events)
        kind = "text/event-stream" if events else "application/x-ndjson"
        return StreamingResponse(body, media_type=kind, headers=HEADERS)

    @app.websocket("/live/metrics")
    async def by_socket(socket: WebSocket, since: Since = None) -> None:
        await socket.accept()
        if len(points) >= MOST_LISTENERS:
            await socket.close(TOO_MANY)
            return
        sending = asyncio.create_task(_send_all(socket, points, since))
        gone = asyncio.create_task(_until_gone(socket))
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, gone):
            task.cancel()


async def lines(points: Points, since: int | None) -> AsyncGenerator[str, None]:
    """Yield the lines for one listener, for ever."""
    while not points.begun:
        yield _heartbeat(points)
        await asyncio.sleep(1.0)
    listener = points.join()
    try:
        for line in points.statuses():
            yield line
        async for line in _from(points, listener, since):
            yield line
    finally:
        points.leave(listener)


async def _from(points: Points, listener: Listener, since: int | None) -> AsyncIterator[str]:
    if since is not None:
        try:
            async for batch in points.before(listener, since):
                for line in batch:
                    yield line
        except TrackingAwayError as e:
            yield encode({"error": f"connect again with since={since}: {e}"})
            return
    while True:
        try:
            new = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            yield _heartbeat(points)
            continue
        if new is None:
            yield encode({"error": TOO_SLOW})
            return
        for line in new:
            yield line


def _heartbeat(points: Points) -> str:
    metrics = points.metrics
    age = None if metrics.age is None else round(metrics.age, 1)
    return encode({"heartbeat": round(time.time(), 1), "cycle": metrics.cycle, "age_seconds": age})


async def _framed(found: AsyncGenerator[str, None], events: bool) -> AsyncIterator[str]:
    async with contextlib.aclosing(found):
        async for line in found:
            cycle = orjson.loads(line).get("cycle") if events else None
            name = f"id: {cycle}\n" if cycle is not None else ""
            yield f"{name}data: {line}\n\n" if events else f"{line}\n"


async def _send_all(socket: WebSocket, points: Points, since: int | None) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it left while we sent
        async for line in lines(points, since):
            await socket.send_text(line)
        await socket.close(TOO_MANY)


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()

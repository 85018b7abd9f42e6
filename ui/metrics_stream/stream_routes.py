"""The metrics stream, /live/metrics?since=CYCLE: metrics and statuses, one JSON object a line.

    websocket                     a message a line
    GET                           application/x-ndjson
    GET, Accept: text/event-stream    server-sent events; ``id`` is the cycle

First comes every run's status, then, if ``since`` is given, the values of the cycles after it, and
then what is new. After 10 s of silence comes a heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

import orjson
from fastapi import FastAPI, Header, HTTPException, Query, WebSocket, WebSocketDisconnect
from starlette.responses import StreamingResponse

from trainers.tracking.reader import TrackingAwayError
from ui.metrics_stream.publisher import Listener, MetricsPublisher, encode
from ui.server.websocket import until_closed

HEARTBEAT_SECONDS = 10.0
MOST_LISTENERS = 50
TOO_MANY = 1013  # try again later
TOO_SLOW = "too slow: connect again with since=CYCLE of the last whole cycle"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Since = Annotated[int | None, Query(ge=0)]


def add_stream_routes(app: FastAPI, publisher: MetricsPublisher) -> None:
    """Serve the stream from ``app``."""

    @app.get("/live/metrics")
    async def by_http(
        since: Since = None, accept: str = Header(""), last_event_id: str = Header("")
    ) -> StreamingResponse:
        if len(publisher) >= MOST_LISTENERS:
            raise HTTPException(503, f"{MOST_LISTENERS} programs listen already")
        events = "text/event-stream" in accept
        if since is None and re.fullmatch(r"[0-9]{1,18}", last_event_id):
            since = max(0, int(last_event_id) - 1)  # its last cycle may not have been whole
        body = _framed(lines(publisher, since), events)
        kind = "text/event-stream" if events else "application/x-ndjson"
        return StreamingResponse(body, media_type=kind, headers=HEADERS)

    @app.websocket("/live/metrics")
    async def by_socket(socket: WebSocket, since: Since = None) -> None:
        await socket.accept()
        if len(publisher) >= MOST_LISTENERS:
            await socket.close(TOO_MANY)
            return
        sending = asyncio.create_task(_send_all(socket, publisher, since))
        closed = asyncio.create_task(until_closed(socket))
        await asyncio.wait({sending, closed}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, closed):
            task.cancel()


async def lines(publisher: MetricsPublisher, since: int | None) -> AsyncGenerator[str, None]:
    """Yield the lines of one listener, without an end."""
    while not publisher.begun:
        yield _heartbeat(publisher)
        await asyncio.sleep(1.0)
    listener = publisher.subscribe()
    try:
        for line in publisher.statuses():
            yield line
        async for line in _from(publisher, listener, since):
            yield line
            # Only in between is it seen that whoever listened has gone, and do others have a turn:
            # a long past was written into a closed connection, with a warning a line.
            await asyncio.sleep(0)
    finally:
        publisher.unsubscribe(listener)


async def _from(
    publisher: MetricsPublisher, listener: Listener, since: int | None
) -> AsyncIterator[str]:
    if since is not None:
        try:
            async for batch in publisher.history(listener, since):
                for line in batch:
                    yield line
        except TrackingAwayError as e:
            yield encode({"error": f"connect again with since={since}: {e}"})
            return
    while True:
        try:
            new = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            yield _heartbeat(publisher)
            continue
        if new is None:
            yield encode({"error": TOO_SLOW})
            return
        for line in new:
            yield line


def _heartbeat(publisher: MetricsPublisher) -> str:
    metrics = publisher.metrics
    age = None if metrics.age is None else round(metrics.age, 1)
    return encode({"heartbeat": round(time.time(), 1), "cycle": metrics.cycle, "age_seconds": age})


async def _framed(lines: AsyncGenerator[str, None], events: bool) -> AsyncIterator[str]:
    async with contextlib.aclosing(lines):
        async for line in lines:
            cycle = orjson.loads(line).get("cycle") if events else None
            name = f"id: {cycle}\n" if cycle is not None else ""
            yield f"{name}data: {line}\n\n" if events else f"{line}\n"


async def _send_all(socket: WebSocket, publisher: MetricsPublisher, since: int | None) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # closed while a line was sent
        async for line in lines(publisher, since):
            await socket.send_text(line)
        await socket.close(TOO_MANY)

"""The live websocket, ``/live/ws?symbol=A&seconds=5&view=runs``: the broadcaster's messages."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from ui.server.broadcaster import Broadcaster
from ui.views.view_model import View


def add_websocket(app: FastAPI, broadcaster: Broadcaster) -> None:
    """Serve the websocket from ``app``."""

    @app.websocket("/live/ws")
    async def live(
        socket: WebSocket, symbol: str = "", seconds: int = 1, view: str = View.MARKET
    ) -> None:
        await socket.accept()
        subscriber = broadcaster.subscribe(symbol, seconds, view)
        closed = asyncio.create_task(until_closed(socket))
        closed.add_done_callback(lambda _: broadcaster.unsubscribe(subscriber))
        try:
            while (text := await subscriber.queue.get()) is not None:
                await socket.send_text(text)
            if not closed.done():
                await socket.close(1001)
        except (WebSocketDisconnect, RuntimeError):
            return  # the browser closed it while a message was sent
        finally:
            closed.cancel()
            broadcaster.unsubscribe(subscriber)


async def until_closed(socket: WebSocket) -> None:
    """Return once the other side has closed the socket; its messages of any kind are ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass

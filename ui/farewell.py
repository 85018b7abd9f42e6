"""Tells open tabs that the session ends, before their connections are closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

import uvicorn

from streaming.program.process import PARENT
from ui.server.broadcaster import Broadcaster
from ui.session_view import SessionView

READ_SECONDS = 0.4  # for the last read of MLflow
SENT_SECONDS = 0.1  # for the last message to leave


class FarewellServer(uvicorn.Server):
    """The page's server.

    The page of a running session ends with it, as its child; so what it is told as last is the end.

    Args:
        config: uvicorn's settings.
        session: the session that is shown.
        broadcaster: sends the last message.
    """

    def __init__(
        self, config: uvicorn.Config, session: SessionView, broadcaster: Broadcaster
    ) -> None:
        super().__init__(config)
        self._session, self._broadcaster = session, broadcaster

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send the last message, then shut down."""
        if PARENT in os.environ:
            await self._say_farewell()
        await super().shutdown(sockets)

    async def _say_farewell(self) -> None:
        poller = self._session.poller
        with contextlib.suppress(Exception):  # what was read before is said then
            read = asyncio.wrap_future(poller.submit(poller.poll))
            await asyncio.wait_for(read, READ_SECONDS)
        self._session.closing = True
        for topic in {subscriber.topic for subscriber in self._broadcaster.subscribers}:
            self._broadcaster.publish(topic)
        await asyncio.sleep(SENT_SECONDS)

"""An application that is loaded while the rest already serves, since Gradio's import takes seconds.

The live socket answers at once, so that an open tab goes on right after a restart. Requests for
the page itself or the API wait until they can be answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from streaming.program.entry_point import importing

logger = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """A loaded application.

    Args:
        app: the application, which serves the page and the API.
        may_view: returns whether a POST of this path and body only reads.
    """

    app: FastAPI
    may_view: Callable[[str, bytes], bool]


class DeferredApp:
    """An ASGI application whose requests wait until it is loaded.

    Args:
        load: imports and makes the application; called in a thread.
    """

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._load = load
        self._ready = asyncio.Event()
        self._app: Loaded | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._wait()).app(scope, receive, send)

    async def may_view(self, path: str, body: bytes) -> bool:
        """Return whether a POST only reads."""
        return (await self._wait()).may_view(path, body)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load the application and keep it running."""
        task = asyncio.create_task(self._run())
        task.add_done_callback(_end_if_failed)
        yield
        task.cancel()
        await asyncio.wait({task})

    async def _run(self) -> None:
        with importing():  # to collect garbage among its modules takes 2 % of a core
            loaded = await asyncio.to_thread(self._load)
        async with loaded.app.router.lifespan_context(loaded.app):
            self._app = loaded
            self._ready.set()
            await asyncio.Event().wait()

    async def _wait(self) -> Loaded:
        await self._ready.wait()
        assert self._app is not None
        return self._app


def _end_if_failed(task: asyncio.Task[None]) -> None:
    """End the process: a page that never comes is worse than one that the session restarts."""
    if not task.cancelled() and (error := task.exception()):
        logger.critical("cannot load what Gradio serves", exc_info=error)
        logging.shutdown()
        os._exit(1)

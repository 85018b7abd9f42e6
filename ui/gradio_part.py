"""The part of the page that Gradio serves: it takes seconds to import, and nobody waits for it.

The live socket answers at once, so that an open tab goes on right after a restart; whoever asks
for the page itself or the API meanwhile gets the answer once it can be given.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)


class Program(NamedTuple):
    """What was loaded.

    Args:
        app: serves the page and the API.
        may_view: whether a POST of this path and body only reads.
    """

    app: FastAPI
    may_view: Callable[[str, bytes], bool]


class GradioPart:
    """An ASGI application whose answers wait for what it is made of.

    Args:
        load: imports and makes it; called in a thread.
    """

    def __init__(self, load: Callable[[], Program]) -> None:
        self._load = load
        self._ready = asyncio.Event()
        self._program: Program | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._loaded()).app(scope, receive, send)

    async def may_view(self, path: str, body: bytes) -> bool:
        """Return whether a POST only reads."""
        return (await self._loaded()).may_view(path, body)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load it and keep it going."""
        task = asyncio.create_task(self._run())
        task.add_done_callback(_end_if_failed)
        yield
        task.cancel()
        await asyncio.wait({task})

    async def _run(self) -> None:
        program = await asyncio.to_thread(self._load)
        gc.freeze()  # what was imported stays: looking through it for rubbish is 2 % of a core
        async with program.app.router.lifespan_context(program.app):
            self._program = program
            self._ready.set()
            await asyncio.Event().wait()

    async def _loaded(self) -> Program:
        await self._ready.wait()
        assert self._program is not None
        return self._program


def _end_if_failed(task: asyncio.Task[None]) -> None:
    """A page that would never come is worse than one that the session starts again."""
    if not task.cancelled() and (error := task.exception()):
        logger.critical("cannot load what Gradio serves", exc_info=error)
        logging.shutdown()
        os._exit(1)

"""Gradio's application is loaded after the rest: requests for it wait, and never in vain."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading

import httpx
from fastapi import FastAPI

from tests.ui.page_world import ROOT, apart
from ui.gradio_app.deferred import DeferredApp, Loaded


def test_a_request_before_it_is_loaded_is_answered_later() -> None:
    go, log = threading.Event(), []

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI):
        log.append("begins")
        try:
            yield
        finally:
            log.append("ends")

    def load() -> Loaded:
        assert go.wait(10)
        app = FastAPI(lifespan=lifespan)
        app.get("/page")(lambda: "here")
        return Loaded(app, lambda path, body: (path, body) == ("/read", b"x"))

    async def ask() -> None:
        part = DeferredApp(load)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(part), base_url="http://page")
        async with part.running(), client:
            asked = [
                asyncio.create_task(work)
                for work in (client.get("/page"), part.may_view("/read", b"x"))
            ]
            done, _ = await asyncio.wait(asked, timeout=0.2)
            assert not done
            go.set()
            answer, may_view = await asyncio.gather(*asked)
            assert (answer.json(), may_view) == ("here", True)
            assert not await part.may_view("/write", b"x")
            assert log == ["begins"]

    apart(ask)
    assert log == ["begins", "ends"]


def test_a_process_whose_page_cannot_be_loaded_ends_with_a_reason() -> None:
    code = """
import asyncio
from ui.gradio_app.deferred import DeferredApp

def load():
    raise RuntimeError("no such theme")

async def run():
    async with DeferredApp(load).running():
        await asyncio.sleep(60)

asyncio.run(run())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 1
    assert "no such theme" in done.stderr

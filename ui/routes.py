"""What the page serves beside Gradio: the websocket and the static files.

/live/ws?symbol=BTCUSDT     messages of ``ui.hub``
/live/static/...            scripts and styles, ``?v=`` their hash, cached for ever
/live/chart/...             lightweight-charts, out of the installed ``lwcharts`` package
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from ui.hub import Hub

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("chart.js", "panel.js", "live.js", "access.js")
STYLES = ("live.css", "access.css")
CHART_FILE = "lightweight-charts.standalone.production.js"


def chart_folder() -> Path:
    """Return where ``lwcharts`` keeps the script (the package itself is not imported)."""
    spec = find_spec("lwcharts")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lwcharts is not installed: run make")
    return Path(spec.origin).parent / "vendor"


class CachedFiles(StaticFiles):
    """Files whose address changes with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def head() -> str:
    """Return the page's scripts and styles, for its ``<head>``."""
    scripts = [("/live/chart", chart_folder() / CHART_FILE)]
    scripts += [("/live/static", STATIC / name) for name in SCRIPTS]
    styles = [_versioned("/live/static", STATIC / name) for name in STYLES]
    links = [f'<link rel="stylesheet" href="{style}">' for style in styles]
    links += [f'<script src="{_versioned(*script)}"></script>' for script in scripts]
    return "\n".join(links)


def _versioned(folder: str, path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return escape(f"{folder}/{path.name}?v={digest}")


def add_routes(app: FastAPI, hub: Hub) -> None:
    """Serve the files and the websocket from ``app``."""
    app.mount("/live/static", CachedFiles(directory=STATIC))
    app.mount("/live/chart", CachedFiles(directory=chart_folder()))

    @app.websocket("/live/ws")
    async def live(socket: WebSocket, symbol: str = "") -> None:
        await socket.accept()
        viewer = hub.join(symbol)
        gone = asyncio.create_task(_until_gone(socket))
        try:
            while True:
                message = asyncio.create_task(viewer.queue.get())
                await asyncio.wait({message, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    message.cancel()
                    return
                if (text := message.result()) is None:
                    await socket.close(1001)
                    return
                await socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            return  # the viewer left while something was sent
        finally:
            gone.cancel()
            hub.leave(viewer)


async def _until_gone(socket: WebSocket) -> None:
    """Return once the viewer has left; what it says is not listened to."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()

"""The page's process: ``python -m ui.app --session RUN_ID``, run in the project's root.

rings, ledger ─┐
MLflow ─ Poller ┴─> Session ─> Picture ─> Hub ─> one websocket a viewer
                       ├─> answers to what one viewer asks (a cycle, two runs, a control)
                       └─> API (Gradio)
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import gradio as gr
import uvicorn
from fastapi import FastAPI

from streaming.errors import KnobError
from streaming.knobs import Knobs, knob
from streaming.process import end_with_parent
from trainers.config import SessionConfig, session_folder
from trainers.tracking.reader import SessionReader, TrackingAwayError
from trainers.tracking.store import StoreError
from ui.access import guard, is_loopback
from ui.answers import add_answers
from ui.api import Api
from ui.hub import Hub
from ui.page import THEME, build_page
from ui.poller import Poller
from ui.routes import add_routes, head
from ui.session import Session

RUN_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageConfig(Knobs):
    """The live page of one session."""

    session: str = knob("last", "run id of the session to show; last is the one started last")
    page_host: str = knob("127.0.0.1", "address the page listens on")
    page_port: int = knob(7860, "the page's port", low=1, high=65_535)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_loopback(self.page_host):
            raise KnobError(
                f"page_host: got {self.page_host!r}; allowed: 127.0.0.1, ::1 or localhost,"
                " since the page has no access control yet"
            )
        if not RUN_ID.fullmatch(self.session):
            raise KnobError(f"session: got {self.session!r}; allowed: last, or an MLflow run id")


def open_session(root: Path, run_id: str) -> Session:
    """Find a session.

    Raises:
        KnobError: if there is none of this id, or none at all.
    """
    reader = SessionReader(root)
    if run_id == "last":
        try:
            run_id = reader.latest_session() or ""
        except TrackingAwayError as e:
            raise KnobError(f"session: cannot tell which is the last one: {e}") from e
        if not run_id:
            raise KnobError("session: there was none yet; start one with make")
    folder = session_folder(root, run_id)
    if not (folder / "config.json").exists():
        raise KnobError(f"session: got {run_id!r}; there is no {folder / 'config.json'}")
    config = SessionConfig.load(folder / "config.json")
    return Session(run_id, folder, config, Poller(reader, run_id))


def build_app(session: Session, config: PageConfig) -> FastAPI:
    """Return the whole page as one ASGI application."""
    hub = Hub(session.picture, session.config.symbol_list)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        session.poller.start()
        publishing = asyncio.create_task(hub.run())
        yield
        publishing.cancel()
        hub.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    guard(app)
    add_routes(app, hub)
    add_answers(app, session)
    gr.mount_gradio_app(
        app,
        build_page(Api(session)),
        path="/",
        server_name=config.page_host,
        server_port=config.page_port,
        theme=THEME,
        head=head(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
    )
    return app


def listen(config: PageConfig) -> socket.socket:
    """Take the page's port.

    Raises:
        KnobError: if another process has it.
    """
    family = socket.AF_INET6 if ":" in config.page_host else socket.AF_INET
    taken = socket.socket(family)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((config.page_host, config.page_port))
    except OSError as e:
        taken.close()
        raise KnobError(
            f"page_port: cannot listen on {config.page_host}:{config.page_port}"
            f" ({e.strerror}); choose another with --page_port"
        ) from e
    return taken


def main() -> None:
    """Serve the page until SIGTERM or Ctrl-C, then exit with 0."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _end)
    config = PageConfig.from_args()
    end_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s page %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        session = open_session(Path.cwd(), config.session)
        taken = listen(config)
    except (KnobError, StoreError) as e:
        print(f"ui.app: {e}", file=sys.stderr)  # noqa: T201  (an entry point's last word)
        raise SystemExit(2) from None
    app = build_app(session, config)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    server.run(sockets=[taken])


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    # Nothing is left to save, and unloading the libraries would take another second.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()

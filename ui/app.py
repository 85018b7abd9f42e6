"""The page's process: ``python -m ui.app --session RUN_ID``, run in the project's root.

rings, ledger ─┐
MLflow ─ Poller ┴─> SessionView ─> ViewModel ─> Broadcaster ─> one websocket a browser
                       ├─> queries of one browser (a cycle, two runs, a control)
                       ├─> alerts, metrics stream
                       └─> page and API (Gradio; loaded some seconds after the rest)
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from streaming.errors import ConfigError
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.environment import drop_unusable
from streaming.program.process import PARENT, code_after, end_with_parent, on_end
from streaming.program.settings import Settings, setting
from trainers.config import SessionConfig, host_names, session_folder
from trainers.session.access import Passwords, check_access, is_loopback, reached_at
from trainers.tracking.reader import SessionReader, TrackingAwayError
from ui.alerts.alert_routes import add_alert_routes
from ui.auth.authenticator import Authenticator
from ui.auth.login import add_login
from ui.auth.middleware import add_auth
from ui.farewell import FarewellServer
from ui.gradio_app.deferred import DeferredApp, Loaded
from ui.metrics_stream.stream_routes import add_stream_routes
from ui.mlflow.poller import Poller
from ui.model_input import add_model_input
from ui.server.assets import add_asset_routes
from ui.server.broadcaster import Broadcaster
from ui.server.queries import add_query_routes
from ui.server.refusals import add_refusals
from ui.server.websocket import add_websocket
from ui.session_view import SessionView

ACCESS_FILE = Path("mlruns", "access.json")
RUN_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageProcessConfig(Settings):
    """The live page of one session."""

    session: str = setting("last", "run id of the session to show; last is the one started last")
    page_host: str = setting(SessionConfig.page_host, "address the page listens on")
    page_port: int = setting(SessionConfig.page_port, "the page's port", low=1, high=65_535)
    page_names: str = setting(
        SessionConfig.page_names,
        "host names under which a proxy serves the page, separated by commas",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        host_names(self.page_names)
        if not RUN_ID.fullmatch(self.session):
            raise ConfigError(f"session: got {self.session!r}; allowed: last, or an MLflow run id")


def open_session(root: Path, run_id: str) -> SessionView:
    """Open a session; ``last`` is the one started last.

    Raises:
        ConfigError: if there is none with this id, or none at all.
    """
    reader = SessionReader(root)
    if run_id == "last":
        try:
            run_id = reader.latest_session() or ""
        except TrackingAwayError as e:
            raise ConfigError(f"session: cannot tell which is the last one: {e}") from e
        if not run_id:
            raise ConfigError("session: there was none yet; start one with make")
    folder = session_folder(root, run_id)
    if not (folder / "config.json").exists():
        raise ConfigError(f"session: got {run_id!r}; there is no {folder / 'config.json'}")
    config = SessionConfig.load(folder / "config.json")
    return SessionView(run_id, folder, config, Poller(reader, run_id))


def build_app(
    session: SessionView,
    config: PageProcessConfig,
    authenticator: Authenticator,
    broadcaster: Broadcaster,
) -> FastAPI:
    """Return the whole page as one ASGI application."""
    gradio = DeferredApp(functools.partial(load_gradio, session, config))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        session.poller.start()
        publishing = asyncio.create_task(broadcaster.run())
        async with gradio.running():
            yield
        publishing.cancel()
        broadcaster.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    add_refusals(app)
    add_auth(
        app,
        authenticator,
        gradio.may_view,
        local=is_loopback(config.page_host),
        names=host_names(config.page_names),
    )
    add_login(app, authenticator)
    add_asset_routes(app)
    add_websocket(app, broadcaster)
    add_query_routes(app, session)
    add_model_input(app, session)
    add_alert_routes(app, session.alerts)
    add_stream_routes(app, session.publisher)
    app.mount("/", gradio)
    return app


def load_gradio(session: SessionView, config: PageProcessConfig) -> Loaded:
    """Import Gradio, which takes longer than everything else, and make its application."""
    from ui.gradio_app.blocks import load  # noqa: PLC0415  (that it is late is the point)

    return load(session, config.page_host, config.page_port)


def prepare_for_gradio(folder: Path) -> None:
    """Set what Gradio takes from the environment when it is imported.

    Args:
        folder: the session's folder. Gradio's own, under ``/tmp``, may be another user's.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("GRADIO_TEMP_DIR", str(folder / "gradio"))
    if dropped := drop_unusable(os.environ):
        say(f"the page does without {', '.join(dropped)}: it can use HTTP proxies only")


def listen(config: PageProcessConfig) -> socket.socket:
    """Return a socket bound to the page's address.

    Raises:
        ConfigError: if another process has it.
    """
    family = socket.AF_INET6 if ":" in config.page_host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((config.page_host, config.page_port))
    except OSError as e:
        bound.close()
        raise ConfigError(
            f"page_port: cannot listen on {config.page_host}:{config.page_port}"
            f" ({e.strerror}); choose another with --page_port"
        ) from e
    return bound


@entry_point("ui.app")
def main() -> None:
    """Serve the page until it is told to end."""
    on_end(_end)
    config = PageProcessConfig.from_args()
    end_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s page %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    passwords = Passwords.of(os.environ)
    check_access(config.page_host, passwords)
    session = open_session(Path.cwd(), config.session)
    authenticator = Authenticator(
        passwords, Path.cwd() / ACCESS_FILE, f"tickloop_{config.page_port}"
    )
    bound = listen(config)
    if PARENT not in os.environ:  # else its session prints the address
        say(f"page       http://{reached_at(config.page_host)}:{config.page_port}; Ctrl-C ends it")
    prepare_for_gradio(session.folder)
    broadcaster = Broadcaster(session.view_model, session.config.symbol_list)
    app = build_app(session, config, authenticator, broadcaster)
    on_end(functools.partial(_end, before=session.starter.end))
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1
    )
    server = FarewellServer(settings, session, broadcaster)
    server.run(sockets=[bound])


def _end(
    signum: int, frame: FrameType | None, before: Callable[[], None] = lambda: None
) -> NoReturn:
    before()
    # Nothing is left to save, and unloading the libraries would take another second.
    logging.shutdown()
    os._exit(code_after(signum))


if __name__ == "__main__":
    main()

"""The page's skeleton in Gradio; the scripts of ``ui/static`` fill it."""

from __future__ import annotations

import functools
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.events import api as add_api
from starlette.middleware.cors import CORSMiddleware

from ui.auth.prefix import Prefixed
from ui.gradio_app.answers import AnswerMiddleware
from ui.gradio_app.arguments import checked
from ui.gradio_app.deferred import Loaded
from ui.gradio_app.functions import ApiFunctions
from ui.gradio_app.permissions import may_view
from ui.server.assets import STATIC, head, style
from ui.session_view import SessionView

PARTS = ("bar", "markets", "live", "trades", "runs", "evidence", "alerts")

# Gradio adds the scripts to the page while it renders the skeleton: whichever comes last starts.
START = "window.Tickloop?.start()"

THEME = gr.themes.Base(
    font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "Menlo", "monospace"],
    spacing_size="sm",
    text_size="sm",
    radius_size="sm",
)
# How often Gradio's queue looks for work, and for its progress (which no function here reports).
WORK_SECONDS, PROGRESS_SECONDS = 0.1, 1.0


class PageBlocks(gr.Blocks):
    """Blocks that check arguments, and fill in defaults for plain POST too."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        inputs[:] = checked(block_fn.fn, inputs)
        super().validate_inputs(block_fn, inputs)


def skeleton() -> str:
    """Return the page's markup with its styles."""
    parts = "".join((STATIC / "parts" / f"{part}.html").read_text("utf-8") for part in PARTS)
    return f"<style>{style()}</style>{parts}"


def load(session: SessionView, host: str, port: int) -> Loaded:
    """Return the application that Gradio serves at this address."""
    page = build_page(ApiFunctions(session))
    parent = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Gradio keeps to the policy of its parent; its own would let any origin read.
    parent.add_middleware(CORSMiddleware, allow_origins=[])
    parent.add_middleware(Prefixed)
    parent.add_middleware(AnswerMiddleware, blocks=page)
    app = gr.mount_gradio_app(
        parent,
        page,
        path="/",
        server_name=host,
        server_port=port,
        theme=THEME,
        head=head(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
    )
    return Loaded(app, functools.partial(may_view, page))


def build_page(api: ApiFunctions) -> gr.Blocks:
    """Return the page with its API."""
    page = PageBlocks(title="Tickloop", fill_width=True, analytics_enabled=False)
    with page:
        # One component, rendered once by Gradio and kept current by ui/static: nothing moves.
        gr.HTML(
            html_template=skeleton(),
            js_on_load=START,
            apply_default_css=False,
            padding=False,
        )
        for function in api.functions():
            add_api(function, api_name=function.__name__, concurrency_limit=None)
    page.queue(api_open=True)
    slow_down_queue(page)
    return page


def slow_down_queue(page: gr.Blocks) -> None:
    """Poll Gradio's queue less: every 1 ms and 10 ms would take some % of a core while idle."""
    queue = getattr(page, "_queue", None)
    for name, seconds in (
        ("sleep_when_free", WORK_SECONDS),
        ("progress_update_sleep_when_free", PROGRESS_SECONDS),
    ):
        if hasattr(queue, name):
            setattr(queue, name, seconds)

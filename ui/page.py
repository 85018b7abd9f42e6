"""The page's skeleton in Gradio: empty places that ``ui/static`` fills."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.events import api as add_api
from starlette.middleware.cors import CORSMiddleware

from ui.access.calls import may_view
from ui.api import Api
from ui.gradio_part import Program
from ui.routes import head, style
from ui.session import Session

FOLDER = Path(__file__).parent / "parts"
PARTS = ("bar", "live", "runs", "evidence", "alerts")

# Gradio adds the scripts to the page while it renders the skeleton: whichever comes last starts.
START = "window.Tickloop?.start()"

THEME = gr.themes.Base(
    font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "Menlo", "monospace"],
    spacing_size="sm",
    text_size="sm",
    radius_size="sm",
)
# How often Gradio's queue looks for work, and for progress of it (which nothing here reports).
WORK_SECONDS, PROGRESS_SECONDS = 0.1, 1.0


class PageBlocks(gr.Blocks):
    """Blocks whose API fills in defaults for plain POST too, as ``gradio_client`` does."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        missing = block_fn.inputs[len(inputs) :]
        inputs.extend(getattr(component, "value", None) for component in missing)
        super().validate_inputs(block_fn, inputs)


def skeleton() -> str:
    """Return the page's markup with its styles."""
    parts = [(FOLDER / f"{part}.html").read_text("utf-8") for part in PARTS]
    return f"<style>{style()}</style>{''.join(parts)}"


def load(session: Session, host: str, port: int) -> Program:
    """Return all that Gradio serves at this address."""
    page = build_page(Api(session))
    parent = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Where its parent has a policy Gradio keeps to it; its own lets any origin read.
    parent.add_middleware(CORSMiddleware, allow_origins=[])
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
    return Program(app, functools.partial(may_view, page))


def build_page(api: Api) -> gr.Blocks:
    """Return the page with its API."""
    page = PageBlocks(title="Tickloop", fill_width=True, analytics_enabled=False)
    with page:
        # One part, rendered once by Gradio and kept current by ui/static: nothing moves.
        gr.HTML(
            html_template=skeleton(),
            js_on_load=START,
            apply_default_css=False,
            padding=False,
        )
        for function in api.functions():
            add_api(function, api_name=function.__name__, concurrency_limit=None)
    page.queue(api_open=True)
    calm(page)
    return page


def calm(page: gr.Blocks) -> None:
    """Let Gradio's queue rest: it looks every 1 ms and every 10 ms, some % of a core while idle."""
    queue = getattr(page, "_queue", None)
    for name, seconds in (
        ("sleep_when_free", WORK_SECONDS),
        ("progress_update_sleep_when_free", PROGRESS_SECONDS),
    ):
        if hasattr(queue, name):
            setattr(queue, name, seconds)

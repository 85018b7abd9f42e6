"""The page's skeleton in Gradio: empty places that ``ui/static`` fills."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import api as add_api

from ui.api import Api

HEADER = """
<header id="bar">
  <h1>Tickloop <span data-k="symbol"></span><select id="symbols" aria-label="Symbol" hidden>
  </select></h1>
  <span class="price" data-k="price">connecting</span>
  <span class="change" data-k="change"></span>
  <span class="grow" data-k="session.text"></span>
  <span class="chip" data-k="link" data-s="CONNECTING">CONNECTING</span>
  <button id="theme" type="button" aria-label="Switch between light and dark">◐</button>
</header>
<p id="notice" role="status" data-k="notice"></p>
"""

CHART = """
<div id="chart-frame">
  <div id="tools" role="group" aria-label="Range of the chart">
    <button type="button" data-bars="60">1m</button>
    <button type="button" data-bars="300">5m</button>
    <button type="button" data-bars="900">15m</button>
    <button type="button" data-bars="live">Live</button>
  </div>
  <div id="legend"><span></span><span class="a"></span><span class="b"></span></div>
  <div id="chart" role="img"
    aria-label="One-second candles with volume and moving averages over 20 and 50 bars"></div>
</div>
"""

PANEL = """
<section class="card" aria-label="Stream">
  <h2>Stream <span class="chip" data-k="stream.status" data-s="">…</span></h2>
  <dl>
    <dt>Ticks in cache</dt><dd data-k="stream.ticks"></dd>
    <dt>1-s bars</dt><dd data-k="stream.bars"></dd>
    <dt>Ticks a second</dt><dd data-k="stream.rate"></dd>
    <dt>Lag</dt><dd data-k="stream.lag"></dd>
    <dt>Gaps</dt><dd data-k="stream.gaps"></dd>
  </dl>
</section>
<div id="cards"></div>
<section class="card" aria-label="Live accuracy and win rate by cycle">
  <h2>
    <span data-k="cycle">By cycle</span>
    <span class="key"><i class="a"></i>live accuracy<i class="b"></i>win rate</span>
  </h2>
  <div id="mini-frame"><p id="mini-empty">no cycle scored yet</p><div id="mini"></div></div>
</section>
<section class="card" aria-label="Last events">
  <h2>Last events <span class="key">UTC</span></h2>
  <ul id="events"><li>no events yet</li></ul>
</section>
"""

THEME = gr.themes.Base(
    font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "Menlo", "monospace"],
    spacing_size="sm",
    text_size="sm",
    radius_size="sm",
)
IDLE_SECONDS = 0.02


class PageBlocks(gr.Blocks):
    """Blocks whose API fills in defaults for plain POST too, as ``gradio_client`` does."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        missing = block_fn.inputs[len(inputs) :]
        inputs.extend(getattr(component, "value", None) for component in missing)
        super().validate_inputs(block_fn, inputs)


def live_part(template: str, on_load: str = "") -> gr.HTML:
    """Make a part that Gradio renders once and ``ui/static`` keeps current."""
    return gr.HTML(
        html_template=template, js_on_load=on_load, apply_default_css=False, padding=False
    )


def build_page(api: Api) -> gr.Blocks:
    """Return the page with its API."""
    page = PageBlocks(title="Tickloop", fill_width=True, analytics_enabled=False)
    with page:
        live_part(HEADER)
        with gr.Row(elem_id="columns"):
            with gr.Column(elem_id="left", min_width=0):
                live_part(CHART)
            with gr.Column(elem_id="right", min_width=0):
                live_part(PANEL, "Tickloop.start()")
        for function in api.functions():
            add_api(function, api_name=function.__name__, concurrency_limit=None)
    page.queue(api_open=True)
    calm(page)
    return page


def calm(page: gr.Blocks) -> None:
    """Let Gradio's queue look for work every 20 ms, not every 1 ms (3 % of a core, idle)."""
    if hasattr(page, "_queue") and hasattr(page._queue, "sleep_when_free"):
        page._queue.sleep_when_free = IDLE_SECONDS

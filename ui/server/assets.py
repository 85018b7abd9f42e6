"""The scripts and styles of the page.

/live/page.js?v=HASH    lightweight-charts, out of the installed ``lwcharts`` package, and the
                        scripts of ``ui/static``; cached for ever
/live/glossary#NAME     what the words and the metrics mean
/live/glossary.json     the same for the page's help: {name: [unit, meaning]}
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from ui.views.glossary import TERMS
from ui.views.glossary_page import glossary_page
from ui.views.glossary_words import WORDS

STATIC = Path(__file__).parents[1] / "static"
STYLES = ("base.css", "live.css", "tables.css", "markets.css", "alerts.css", "access.css")
SCRIPTS = (
    "base.js", "time.js", "request.js", "help.js", "spinner.js", "axis.js", "shades.js", "strip.js",
    "marks.js", "legend.js", "candles.js", "history.js", "viewport.js", "overlays.js",
    "cycle_chart.js", "card.js", "panel.js", "dialog.js", "fields.js", "controls.js", "decision.js",
    "tabs.js", "sparks.js", "market_line.js", "markets.js", "figures.js", "leaderboard.js",
    "evidence.js", "compare.js", "runs.js", "equity.js", "trades.js", "fleet.js", "theme.js",
    "title.js", "notify.js", "alerts.js", "access.js", "live.js",
)  # fmt: skip
SCRIPT = "/live/page.js"
FOR_EVER = {
    "Content-Encoding": "gzip",
    "Cache-Control": "public, max-age=31536000, immutable",
}
CHART_FILE = "lightweight-charts.standalone.production.js"


def chart_folder() -> Path:
    """Return where ``lwcharts`` keeps the script (the package itself is not imported)."""
    spec = find_spec("lwcharts")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lwcharts is not installed: run make")
    return Path(spec.origin).parent / "vendor"


@functools.cache
def script() -> bytes:
    """Return all scripts as one: Gradio adds several to the page in no certain order."""
    files = [chart_folder() / CHART_FILE, *(STATIC / name for name in SCRIPTS)]
    return b"\n".join(path.read_bytes() for path in files)


@functools.cache
def style() -> str:
    """Return all styles as one, to stand in the page beside its markup, so that nothing moves."""
    return "\n".join((STATIC / name).read_text("utf-8") for name in STYLES)


def head() -> str:
    """Return what the page's ``<head>`` needs; the address changes with the content.

    It is relative, since a proxy may serve the page under a path.
    """
    version = hashlib.sha256(script()).hexdigest()[:12]
    return f'<script src="{SCRIPT.lstrip("/")}?v={version}"></script>'


def add_asset_routes(app: FastAPI) -> None:
    """Serve the scripts from ``app``."""
    packed = gzip.compress(script())

    @app.get(SCRIPT)
    async def all_scripts() -> Response:
        return Response(packed, media_type="text/javascript", headers=FOR_EVER)

    glossary = glossary_page()

    @app.get("/live/glossary")
    async def words() -> HTMLResponse:
        return HTMLResponse(glossary)

    @app.get("/live/glossary.json")
    async def terms() -> dict[str, list[str]]:
        return {name: list(term) for name, term in (TERMS | WORDS).items()}

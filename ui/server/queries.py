"""What one browser asks for by itself; the poller's thread answers.

GET  /live/cycle?symbol=BTCUSDT&cycle=7       what each learner logged in that cycle
GET  /live/compare?a=RUN&b=RUN&metric=...     two runs side by side
POST /live/control {"name", "value"}          sets a tag control/<name> on the session's run
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Query

from trainers.names import Control
from trainers.tracking.reader import LAST_STEP, NoSuchRunError, TrackingAwayError
from ui.live.control_panel import CONTROLS, ENDED
from ui.mlflow.session_metrics import RUNNING
from ui.runs.run_comparison import compare, cycle_card
from ui.session_view import SessionView

Cycle = Annotated[int, Query(ge=0, le=LAST_STEP)]
RunId = Annotated[str, Query(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
Name = Annotated[str, Body()]
Value = Annotated[str, Body(max_length=100)]
AWAY, WRONG, NOT_THERE = 503, 422, 404


def add_query_routes(app: FastAPI, session: SessionView) -> None:
    """Serve the queries from ``app``."""
    reader, poller = session.poller.reader, session.poller

    async def run(query: Callable[[], Any]) -> Any:
        try:
            return await asyncio.wrap_future(poller.submit(query))
        except NoSuchRunError as e:
            raise HTTPException(NOT_THERE, str(e)) from e
        except TrackingAwayError as e:
            raise HTTPException(AWAY, str(e)) from e

    @app.get("/live/cycle")
    async def cycle(symbol: str, cycle: Cycle) -> Any:
        try:
            market = session.market(symbol).symbol
        except KeyError as e:
            raise HTTPException(WRONG, str(e.args[0])) from e
        runs = poller.metrics.learners.get(market, {})
        return await run(lambda: cycle_card(reader, runs, cycle))

    @app.get("/live/compare")
    async def two_runs(a: RunId, b: RunId, metric: str = "") -> Any:
        return await run(lambda: compare(reader, a, b, metric))

    @app.post("/live/control")
    async def control(name: Name, value: Value = "1") -> dict[str, bool]:
        if name not in CONTROLS:
            raise HTTPException(WRONG, f"name: got {name!r}; allowed: {', '.join(CONTROLS)}")
        running = await run(lambda: reader.session_run(session.run_id).state) == RUNNING
        if not running and name != Control.START:
            raise HTTPException(409, ENDED)
        await run(lambda: reader.ask(session.run_id, name, value))
        if not running:
            session.starter.start()
        return {"requested": True}

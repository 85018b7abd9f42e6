"""What one viewer asks for by itself, answered by the poller's thread.

GET  /live/cycle?symbol=BTCUSDT&cycle=7       what each learner logged in that cycle
GET  /live/compare?a=RUN&b=RUN&metric=...     two runs side by side
POST /live/control {"name", "value"}          a tag control/<name> on the session's run
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Query

from trainers.tracking.reader import TrackingAwayError
from ui.live.controls import CONTROLS, ENDED, START
from ui.runs.compare import compare, cycle_card
from ui.session import Session

RunId = Annotated[str, Query(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
Name = Annotated[str, Body()]
Value = Annotated[str, Body(max_length=100)]
AWAY = 503


def add_answers(app: FastAPI, session: Session) -> None:
    """Serve the answers from ``app``."""
    reader, poller = session.poller.reader, session.poller

    async def ask(question: Callable[[], Any]) -> Any:
        try:
            return await asyncio.wrap_future(poller.ask(question))
        except TrackingAwayError as e:
            raise HTTPException(AWAY, str(e)) from e

    @app.get("/live/cycle")
    async def cycle(symbol: str, cycle: int) -> Any:
        runs = poller.metrics.learners.get(symbol, {})
        return await ask(lambda: cycle_card(reader, runs, cycle))

    @app.get("/live/compare")
    async def two_runs(a: RunId, b: RunId, metric: str = "") -> Any:
        return await ask(lambda: compare(reader, a, b, metric))

    @app.post("/live/control")
    async def control(name: Name, value: Value = "1") -> dict[str, bool]:
        if name not in CONTROLS:
            raise HTTPException(422, f"{name}: unknown; allowed: {', '.join(CONTROLS)}")
        running = await ask(lambda: reader.session_run(session.run_id).state) == "RUNNING"
        if not running and name != START:
            raise HTTPException(409, ENDED)
        await ask(lambda: reader.ask(session.run_id, name, value))  # its trainer answers
        if not running:
            session.starter.start()
        return {"requested": True}

"""What one browser asks for by itself; the poller's thread answers.

GET  /live/cycle?symbol=BTCUSDT&cycle=7       what each learner logged in that cycle
GET  /live/compare?run=RUN&run=RUN&metric=... any number of runs side by side
GET  /live/history?symbol=...&before=TIME&seconds=5   older candles and marks
GET  /live/sparks                             each market's newest prices and edges, to begin with
GET  /live/trades?symbol=...&by=pnl_bps               the trades and the equity curves
GET  /live/decision?control=promote&model=...&symbol=...&learner=cnn   what becomes what
POST /live/control {"name", "value"}          sets a tag control/<name> on the session's run
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, HTTPException, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from trainers.names import Control
from trainers.tracking.model_reader import VersionRecord
from trainers.tracking.reader import LAST_STEP, NoSuchRunError, SessionReader, TrackingAwayError
from ui.chart.candles import LENGTHS
from ui.chart.chart import ROWS_SHOWN
from ui.controls.control_panel import ENDED
from ui.controls.decision import decision_of
from ui.mlflow.session_metrics import RUNNING
from ui.runs.run_comparison import MOST_RUNS, compare, cycle_card
from ui.session_view import SessionView
from ui.trades.trade_list import COLUMNS, trades_of

Cycle = Annotated[int, Query(ge=0, le=LAST_STEP)]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
RunIds = Annotated[list[RunId], Query(min_length=1, max_length=MOST_RUNS)]
Name = Annotated[str, Body()]
Value = Annotated[str, Body(max_length=100)]
Text = Annotated[str, Query(max_length=200)]
Move = Annotated[str, Query(pattern="^(promote|rollback)$")]
Time = Annotated[int, Query(ge=0, le=2**40)]
Most = Annotated[int, Query(ge=1, le=7200)]
Column = Annotated[str, Query(pattern=f"^({'|'.join(COLUMNS)})$")]
TRADES_SHOWN = 200
AWAY, WRONG, NOT_THERE = 503, 422, 404


def add_query_routes(app: FastAPI, session: SessionView) -> None:
    """Serve the queries from ``app``."""
    reader, poller = session.poller.reader, session.poller

    async def ask(query: Callable[[], Any]) -> Any:
        try:
            return await asyncio.wrap_future(poller.submit(query))
        except NoSuchRunError as e:
            raise HTTPException(NOT_THERE, str(e)) from e
        except TrackingAwayError as e:
            raise HTTPException(AWAY, str(e)) from e

    def market_of(symbol: str) -> str:
        try:
            return session.market(symbol).symbol
        except KeyError as e:
            raise HTTPException(WRONG, str(e.args[0])) from e

    @app.get("/live/cycle")
    async def cycle(symbol: str, cycle: Cycle) -> Any:
        market = market_of(symbol)
        runs = poller.metrics.learners.get(market, {})
        return await ask(lambda: cycle_card(reader, runs, cycle))

    @app.get("/live/history")
    async def history(
        symbol: str, before: Time, seconds: int = 1, most: Most = ROWS_SHOWN
    ) -> Response:
        if seconds not in LENGTHS:
            allowed = ", ".join(map(str, LENGTHS))
            raise HTTPException(WRONG, f"seconds: got {seconds}; allowed: {allowed}")
        chart = session.charts[market_of(symbol)]
        bars = await asyncio.to_thread(chart.bars_before, before, seconds, most)
        return _json(chart.past(bars, before, seconds, most))

    @app.get("/live/trades")
    async def trades(
        symbol: str, by: Column = "closed", rising: bool = False, most: Most = TRADES_SHOWN
    ) -> Response:
        marks = session.charts[market_of(symbol)].marks
        marks.update()
        accounts = {marks.learners[i]: account for i, account in marks.accounts.items()}
        return _json(trades_of(accounts, by, rising=rising, most=most))

    @app.get("/live/sparks")
    async def sparks() -> Response:
        found = await asyncio.to_thread(session.overview.sparks, poller.metrics)
        return _json(found)

    @app.get("/live/compare")
    async def runs(run: RunIds, metric: str = "") -> Any:
        return await ask(
            lambda: compare(reader, [*dict.fromkeys(run)], metric, session.runs.records)
        )

    @app.get("/live/decision")
    async def decision(control: Move, model: Text, symbol: Text, learner: Text) -> Any:
        market = market_of(symbol)

        def query() -> dict[str, Any]:
            models, known = reader.models(), poller.metrics
            scores = scores_of(reader, (version for model in models for version in model.versions))
            move = Control(control)
            return decision_of(move, model, market, learner, known, models, scores).as_dict()

        return await ask(query)

    @app.post("/live/control")
    async def control(request: Request, name: Name, value: Value = "1") -> dict[str, bool]:
        if name not in list(Control):
            raise HTTPException(WRONG, f"name: got {name!r}; allowed: {', '.join(Control)}")
        running = await ask(lambda: reader.session_run(session.run_id).state) == RUNNING
        if not running and name != Control.START:
            raise HTTPException(409, ENDED)
        await ask(lambda: reader.ask(session.run_id, name, value, request.state.role))
        if not running:
            session.starter.start()
        return {"requested": True}


def scores_of(
    reader: SessionReader, versions: Iterable[VersionRecord]
) -> dict[str, Mapping[str, float]]:
    """Return the metrics of the runs in which versions with an alias were made."""
    scores: dict[str, Mapping[str, float]] = {}
    for run_id in {version.run_id for version in versions if version.aliases}:
        with contextlib.suppress(NoSuchRunError):  # it was deleted
            scores[run_id] = reader.run(run_id).metrics
    return scores


def _json(found: dict[str, Any]) -> Response:
    return Response(orjson.dumps(found), media_type="application/json")

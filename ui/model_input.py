"""The newest bars, as the body of a request to a served model version.

    GET /get_bars_for_model?symbol=BTCUSDT&bars=109  ->  POST /invocations of `mlflow models serve`

It is an API function too; as an address of its own it can be handed on by curl as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException

from datamodules.features import RAW_COLUMNS, raw_columns
from datamodules.windows import FORECASTER_BARS
from streaming.bars import BAR
from streaming.cache import bar_ring
from trainers.promotion.model_card import ENDPOINT
from ui.session_view import SessionView

MOST_BARS = 3600
WRONG, NOT_YET = 422, 409


class NoBarsError(Exception):
    """There are no such bars now; the text says what is missing."""


def bars_for_model(session: Path, symbol: str, bars: int) -> dict[str, Any]:
    """Return the newest final bars of a market as a model takes them.

    Args:
        session: the session's folder.
        symbol: the market.
        bars: how many.

    Returns:
        ``inputs``, ``(1, bars, 16)``, oldest bar first, and ``columns``, the names of these.

    Raises:
        NoBarsError: if there are too few, or trades are missing in them.
    """
    try:
        rows = bar_ring(session, symbol).tail(bars).rows
    except FileNotFoundError:
        rows = np.zeros(0, BAR)
    if len(rows) < bars:
        raise NoBarsError(f"bars: expected {bars} whole bars, there are {len(rows)} yet")
    gaps = rows["gap"][1:].nonzero()[0]
    if len(gaps):
        wait = int(gaps[-1]) + 1
        raise NoBarsError(f"bars: trades are missing in the newest {bars}; ask again in {wait} s")
    return {"columns": list(RAW_COLUMNS), "inputs": raw_columns(rows)[None].tolist()}


def add_model_input(app: FastAPI, session: SessionView) -> None:
    """Serve the bars from ``app``."""

    @app.get(f"/{ENDPOINT}")
    def get_bars_for_model(symbol: str = "", bars: int = FORECASTER_BARS) -> dict[str, Any]:
        if not 0 < bars <= MOST_BARS:
            raise HTTPException(WRONG, f"bars: got {bars}; allowed: 1 to {MOST_BARS}")
        try:
            return bars_for_model(session.folder, session.market(symbol).symbol, bars)
        except KeyError as e:
            raise HTTPException(WRONG, str(e.args[0])) from e
        except NoBarsError as e:
            raise HTTPException(NOT_YET, str(e)) from e

"""What the API's functions return of a session's record: forecasts, trades, models. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from datamodules.transitions import Action
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import NO_ACTION, STATUS_NAMES, Forecasts
from trainers.tracking.model_reader import ModelRecord
from ui.trades.paper_account import PaperAccount


def forecast_records(names: Sequence[str], rows: Forecasts) -> list[dict[str, Any]]:
    """Return forecasts in their order; none that was not given has a probability."""
    return [
        {
            "time": int(row["bar"]) // NS_PER_S,
            "learner": names[row["learner"]],
            "status": STATUS_NAMES[int(row["status"])],
            "probability": float(row["probability"]) if np.isfinite(row["probability"]) else None,
            "action": None if row["action"] == NO_ACTION else Action(row["action"]).name,
            "signal": Action(row["signal"]).name,
        }
        for row in rows
    ]


def trade_records(accounts: Mapping[str, PaperAccount], most: int) -> list[dict[str, Any]]:
    """Return the newest paper trades of all learners, by when they were opened, newest last."""
    trades = [
        {"learner": name, **trade._asdict()}
        for name, account in accounts.items()
        for trade in account.trades
    ]
    trades.sort(key=lambda trade: trade["opened"])
    return trades[-most:] if most else trades


def model_records(models: Iterable[ModelRecord]) -> list[dict[str, Any]]:
    """Return the registered models with their versions."""
    return [
        {
            "name": model.name,
            "versions": [
                {
                    "version": version.version,
                    "run": version.run_id,
                    "created": version.created,
                    "aliases": [*version.aliases],
                }
                for version in model.versions
            ],
        }
        for model in models
    ]

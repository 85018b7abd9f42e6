"""The leaderboard of a session that has ended: a table in MLflow, and lines in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainers.config import SessionConfig
from trainers.learners.registry import PERMUTED_LABELS
from trainers.names import LEADERBOARD
from trainers.recording.errors import LedgerError
from trainers.recording.ledger import read_ledger
from trainers.scoring.arena.board import ALPHA, Standing, standings_of
from trainers.tracking.stores.artifacts import artifact_store
from trainers.tracking.stores.client import MlflowClient

MOST_SHOWN = 30


def leaderboards(session: Path, config: SessionConfig) -> dict[str, list[Standing]]:
    """Return where the forecasters stand by market, of the markets that have forecasts."""
    found = {}
    for market in config.symbol_list:
        try:
            ledger = read_ledger(session, market)
        except (FileNotFoundError, LedgerError):
            continue  # it did not get that far; whoever reads a damaged one says so
        standings = standings_of(*ledger, config.target, PERMUTED_LABELS)
        if any(one.bars for one in standings):
            found[market] = standings
    return found


def log_leaderboards(client: MlflowClient, run: str, boards: dict[str, list[Standing]]) -> None:
    """Log leaderboards by market as one table of a run, if there is any.

    Raises:
        MlflowException: if the store does not answer.
    """
    rows = [_row(market, one) for market, standings in boards.items() for one in standings]
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        with artifact_store():
            client.log_table(run, columns, LEADERBOARD)


def _row(market: str, one: Standing) -> dict[str, Any]:
    return {
        "market": market,
        "rank": one.place,
        "learner": one.name,
        "best_rank": one.best,
        "worst_rank": one.worst,
        "bars": one.bars,
        "brier": one.brier,
        "behind_first": one.behind,
        "half_width": one.half_width,
        "ahead_of": ", ".join(one.ahead_of),
    }


def lines_of(standings: Iterable[Standing]) -> list[str]:
    """Return a leaderboard as lines: rank with its interval, name, score, who is beaten."""
    lines = [
        f"Brier score; what is said of all pairs together is wrong with a chance of {ALPHA:.0%} at"
        " most, whenever one looks"
    ]
    for one in list(standings)[:MOST_SHOWN]:
        if one.brier is None:
            lines.append(f" -  {one.name}: nothing scored yet")
            continue
        ahead = f"; ahead of {', '.join(one.ahead_of)}" if one.ahead_of else ""
        behind = ""
        if one.half_width is not None:
            behind = f", behind the first by {one.behind:.4f} ± {one.half_width:.4f}"
        lines.append(
            f"{one.place:2d}  ({one.best} to {one.worst})  {one.name}: {one.brier:.4f} of"
            f" {one.bars:,} bars{behind}{ahead}"
        )
    return lines

"""Records -> typed pandas frames. Pure.

Every time is a UTC timestamp. A bar is named by the time at which it opens; a forecast made at its
close is about the bar after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR, Target
from datamodules.transitions import Action
from streaming.bars import Bars
from trainers.recording.ledger import LedgerContents
from trainers.scoring.ledger import FAILED, MADE, MISSED, NO_ACTION, SILENT
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.scored import scored_of

STATUS = {MADE: "made", MISSED: "missed", SILENT: "silent", FAILED: "failed"}
REASONS = ["signal", "gap"]
ACTIONS = {int(action): action.name for action in Action}


# When a bar was known is the engine's affair.
HIDDEN = ("ts_open", "final_seq", "final_quote")


def bar_frame(bars: Bars) -> pd.DataFrame:
    """Return bars ``(T,)`` of dtype ``BAR`` as a frame, indexed by the time at which they open.

    Columns: ``open``, ``high``, ``low``, ``close``, ``bid``, ``ask`` in quote currency; ``volume``
    and ``signed_volume`` (bought less sold by takers) in base currency; ``notional`` in quote
    currency; ``trades``, a count; ``gap``, whether trades are missing in the bar or before it;
    ``last_sold`` and ``last_bought``, the last prices at which takers sold and bought; of the book,
    ``bid_size``, ``ask_size`` and ``ofi`` in base currency, ``updates``, a count, and ``quoted``,
    whether ``bid`` and ``ask`` are quotes and not the last trades.
    """
    names = [name for name in bars.dtype.names or () if name not in HIDDEN]
    frame = pd.DataFrame({name: bars[name] for name in names}, index=_times(bars["ts_open"]))
    return frame.astype({"gap": bool})


def forecast_frame(ledger: LedgerContents, target: Target = NEXT_BAR) -> pd.DataFrame:
    """Return the forecasts of a ledger with their outcomes, indexed by the bar's opening time.

    Args:
        ledger: the market's ledger.
        target: what was forecast.

    Columns:
        learner: who forecast.
        status: ``made``, ``missed`` (too late), ``silent`` (it gave none) or ``failed``.
        probability: that the price at the horizon is higher, 0 to 1; NaN if none was given.
        action: an agent's action; NaN for a forecaster.
        signal: the action that follows from the forecast, at the confidence then in force.
        close: the bar's close, quote currency.
        moved: the price of the label at the horizon less this one; NaN if it is not known or a gap
            lies between.
        latency_us: from the bar being known to the forecast being made, us.
        version: the id of the weights that forecast.
        gap: whether trades are missing in the bar or before it.
    """
    rows = ledger.forecasts
    moves = moves_of(ledger.outcomes, target)
    at = np.searchsorted(moves.bar, rows["bar"])
    unknown = (moves.lost | moves.open)[at]
    action = rows["action"]
    names = list(ACTIONS.values())
    return pd.DataFrame(
        {
            "learner": _category(rows["learner"], ledger.names),
            "status": _category(rows["status"], list(STATUS.values())),
            "probability": rows["probability"],
            "action": _category(np.where(action == NO_ACTION, -1, action), names),
            "signal": _category(rows["signal"], names),
            "close": ledger.outcomes["close"][at],
            "moved": np.where(unknown, np.nan, moves.moved[at]),
            "latency_us": rows["latency_us"],
            "version": rows["version"],
            "gap": rows["gap"].astype(bool),
        },
        index=_times(rows["bar"]),
    )


def trade_frame(ledger: LedgerContents, fee_bps: float, target: Target = NEXT_BAR) -> pd.DataFrame:
    """Return the paper trades of every learner, in the order in which they were opened.

    Each buys one unit at the mid, pays fee and half the spread on both sides, and sells it again.

    Args:
        ledger: the market's ledger.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: as in ``forecast_frame``.

    Columns:
        learner: whose signals were followed.
        opened, closed: opening time of the bar at whose close it was done; ``closed`` is NaT, and
            the next three unknown, while the position is held.
        exit_price: the mid then, quote currency.
        pnl_bps: profit after both costs, bp of the price.
        reason: why it was closed: ``signal``, or ``gap`` (trades are missing after that bar).
        entry_price: the mid then, quote currency.
        probability: the forecast behind the entry; NaN for an agent.
    """
    moves, frames = moves_of(ledger.outcomes, target), []
    mid = ledger.outcomes["mid"]
    for i, name in enumerate(ledger.names):
        scored = scored_of(moves, ledger.forecasts, i)
        paper = paper_of(scored, fee_bps)
        opened = _opened(paper)
        held = len(opened) - len(paper.closed)
        closed = np.append(paper.closed, [-1] * held).astype(np.int64)
        open_ = closed < 0
        by_gap = moves.broken[closed] & (scored.signal[closed] != Action.SELL)
        frames.append(
            pd.DataFrame(
                {
                    "learner": name,
                    "opened": _times(moves.bar[opened]),
                    "closed": _times(moves.bar[closed]).where(~open_),
                    "entry_price": mid[opened],
                    "exit_price": np.where(open_, np.nan, mid[closed]),
                    "pnl_bps": np.append(paper.profit_bps, [np.nan] * held),
                    "probability": scored.probability[opened],
                    "reason": _category(np.where(open_, -1, by_gap), list(REASONS)),
                }
            )
        )
    trades = pd.concat(frames).sort_values("opened", kind="stable", ignore_index=True)
    return trades.astype({"learner": pd.CategoricalDtype(ledger.names)})


def equity_frame(ledger: LedgerContents, fee_bps: float, target: Target = NEXT_BAR) -> pd.DataFrame:
    """Return the paper accounts of every learner, indexed by the bar's opening time.

    Args:
        ledger: the market's ledger.
        fee_bps: as in ``trade_frame``.
        target: as in ``forecast_frame``.

    Columns:
        learner: whose signals were followed.
        position: 1 while a unit is held from the bar's close to the next, else 0.
        net_bps: profit of the bar after costs, bp.
        equity_bps: the sum of ``net_bps`` so far.
        drawdown_bps: how far ``equity_bps`` is below its highest value so far, 0 included.
    """
    moves = moves_of(ledger.outcomes, target)
    frames = []
    for i, name in enumerate(ledger.names):
        paper = paper_of(scored_of(moves, ledger.forecasts, i), fee_bps)
        equity = paper.net_bps.cumsum()
        peak = np.maximum(np.maximum.accumulate(equity), 0.0) if len(equity) else equity
        frames.append(
            pd.DataFrame(
                {
                    "learner": name,
                    "position": paper.position,
                    "net_bps": paper.net_bps,
                    "equity_bps": equity,
                    "drawdown_bps": peak - equity,
                },
                index=_times(moves.bar),
            )
        )
    return pd.concat(frames).astype({"learner": pd.CategoricalDtype(ledger.names)})


def _opened(paper: Paper) -> NDArray[np.int64]:
    """Return the bar at which each trade was opened: the first one held after the last close."""
    held = np.flatnonzero(paper.position)
    starts = np.append(-1, paper.closed)
    at = np.searchsorted(held, starts, side="right")
    return held[at[at < len(held)]]


def _category(codes: NDArray[np.integer[Any]], names: list[str]) -> pd.Categorical[Any]:
    """Return names by their index; -1 for none."""
    return pd.Categorical.from_codes(codes.astype(np.int64), dtype=pd.CategoricalDtype(names))


def _times(ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(ns, unit="ns", utc=True), name="time")

"""Rows of a record -> typed pandas frames, the one owner of their columns' names. Pure.

The Parquet files of an export have the same columns. Every time is a UTC timestamp. A bar is named
by the time at which it opens; a forecast made at its close is about the move from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR, Target
from datamodules.transitions import Action
from streaming.bars import Bars
from streaming.quotes import LATE as LATE_QUOTE
from streaming.quotes import Quotes
from streaming.ticks import AFTER_GAP, LATE, REPAIRED, Side, Ticks
from trainers.recording.ledger import LedgerContents
from trainers.scoring.ledger import NO_ACTION, STATUS_NAMES
from trainers.scoring.moves import moves_of

SIDES = {Side.UNKNOWN: "unknown", Side.BOUGHT: "bought", Side.SOLD: "sold"}
ACTIONS = {int(action): action.name for action in Action}


# When a bar was known is the engine's affair.
HIDDEN = ("ts_open", "final_seq", "final_quote")


def bar_frame(bars: Bars) -> pd.DataFrame:
    """Return bars ``(T,)`` of dtype ``BAR`` as a frame, indexed by the time at which they open.

    Columns: ``open``, ``high``, ``low``, ``close``, ``bid``, ``ask`` in quote currency; ``volume``
    and ``signed_volume`` (bought less sold by takers) in base currency; ``notional`` in quote
    currency; ``trades``, a count; ``gap``, whether trades are missing in the bar or before it, or a
    price is broken;
    ``last_sold`` and ``last_bought``, the last prices at which takers sold and bought; of the book,
    ``bid_size``, ``ask_size`` and ``ofi`` in base currency, ``updates``, a count, and ``quoted``,
    whether ``bid`` and ``ask`` are quotes and not the last trades.
    """
    names = [name for name in bars.dtype.names or () if name not in HIDDEN]
    frame = pd.DataFrame({name: bars[name] for name in names}, index=times_of(bars["ts_open"]))
    return frame.astype({"gap": bool, "quoted": bool})


def tick_frame(ticks: Ticks) -> pd.DataFrame:
    """Return ticks ``(n,)`` of dtype ``TICK`` as a frame, indexed by the venue's time of the trade.

    Columns: ``id``, the venue's; ``received``, when it came; ``price`` in quote currency; ``size``
    in base currency; ``side``, what the taker did: ``bought``, ``sold`` or ``unknown``;
    ``repaired``, whether it was fetched after it was missed; ``after_gap``, whether trades are
    missing before it; ``late``, whether it came too late for its bar.
    """
    flags = {"repaired": REPAIRED, "after_gap": AFTER_GAP, "late": LATE}
    return pd.DataFrame(
        {
            "id": ticks["id"],
            "received": stamps(ticks["ts_init"]),
            "price": ticks["price"],
            "size": ticks["size"],
            "side": category(ticks["side"] % len(SIDES), list(SIDES.values())),
            **{name: ticks["flags"] & flag != 0 for name, flag in flags.items()},
        },
        index=times_of(ticks["ts_event"]),
    )


def quote_frame(quotes: Quotes) -> pd.DataFrame:
    """Return quotes ``(n,)`` of dtype ``QUOTE`` as a frame, indexed by the venue's time.

    The last of the updates in each second is kept. Columns: ``id``, the
    venue's, 0 where it has none; ``received``, when it came; ``bid`` and ``ask`` in quote
    currency; ``bid_size``, ``ask_size`` and ``ofi``, the order-flow imbalance of all updates that
    it stands for, in base currency; ``updates``, how many these are; ``late``, whether it came too
    late for its bar.
    """
    same = ("bid", "ask", "bid_size", "ask_size", "ofi", "updates")
    return pd.DataFrame(
        {
            "id": quotes["id"],
            "received": stamps(quotes["ts_init"]),
            **{name: quotes[name] for name in same},
            "late": quotes["flags"] & LATE_QUOTE != 0,
        },
        index=times_of(quotes["ts_event"]),
    )


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
        close, mid: the bar's close, and the middle between bid and ask then, quote currency.
        half_spread_bps: half the spread then, bp of the mid.
        moved: the price of the label at the horizon less this one; NaN if it is not known or a gap
            lies between.
        latency_us: from the bar being known to the forecast being made, us.
        version: the id of the weights that forecast.
        inputs: hash of the bars that it saw.
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
            "learner": category(rows["learner"], ledger.names),
            "status": category(rows["status"], list(STATUS_NAMES.values())),
            "probability": rows["probability"],
            "action": category(np.where(action == NO_ACTION, -1, action), names),
            "signal": category(rows["signal"], names),
            "close": ledger.outcomes["close"][at],
            "mid": ledger.outcomes["mid"][at],
            "half_spread_bps": ledger.outcomes["half_spread_bps"][at],
            "moved": np.where(unknown, np.nan, moves.moved[at]),
            "latency_us": rows["latency_us"],
            "version": rows["version"],
            "inputs": rows["inputs"],
            "gap": rows["gap"].astype(bool),
        },
        index=times_of(rows["bar"]),
    )


def category(codes: NDArray[np.integer[Any]], names: list[str]) -> pd.Categorical[Any]:
    """Return names by their index; -1 for none."""
    return pd.Categorical.from_codes(codes.astype(np.int64), dtype=pd.CategoricalDtype(names))


def times_of(ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Return times in ns as an index named ``time``."""
    return pd.DatetimeIndex(stamps(ns), name="time")


def stamps(ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Return times in ns as UTC timestamps."""
    return pd.DatetimeIndex(pd.to_datetime(ns, unit="ns", utc=True))

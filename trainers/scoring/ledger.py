"""The rows of the ledger: the forecasts of all learners at each bar, and the bar's outcome.

    bar closes -> forecasts -> ledger -> scored -> metrics, edge, evidence, promotion

A forecast is written before its label exists and never changed. Pure; the files are
``trainers.recording.ledger``. Rows have no padding, so that they compare byte for byte.

    bar          ts_open of the bar at whose close the row was made  | ns, UTC
    probability  that the price at the horizon is higher, 0 to 1; NaN if the learner gave none
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datamodules.mids import SPREAD_BARS, half_spread_bps, mids_at, newest_half_spread_bps
from streaming.bars import Bars

# The status of a forecast.
MADE = 0  # made in time
MISSED = 1  # too late: its label was known already
SILENT = 2  # the learner returned None
FAILED = 3  # the learner raised an exception
STATUS_NAMES = {MADE: "made", MISSED: "missed", SILENT: "silent", FAILED: "failed"}

NO_ACTION = -1  # a forecaster's action

OUTCOME = np.dtype(
    [
        ("bar", "<i8"),
        ("close", "<f8"),  # quote currency, > 0
        ("mid", "<f8"),  # between bid and ask at the close, quote currency, > 0
        ("half_spread_bps", "<f8"),  # bp of the mid, >= 0
        ("gap", "<i8"),  # 0, or flags of the bar: trades are missing, or a price is broken
    ]
)

FORECAST = np.dtype(
    [
        ("bar", "<i8"),  # the forecast is about the move from here on
        ("learner", "<u4"),  # index into the names in the ledger's header
        ("status", "<u1"),
        ("gap", "<u1"),  # the gap flag of the bar
        ("action", "<i1"),  # an agent's action: 0 HOLD, 1 BUY, 2 SELL
        ("signal", "<i1"),  # the action that the forecast implies, coded likewise
        ("version", "<u8"),  # id of the weights that forecast
        ("inputs", "<u8"),  # hash of the bars that they saw
        ("probability", "<f8"),
        ("latency_us", "<i8"),  # from the bar being known to the forecasts being made
    ]
)

Outcomes = NDArray[np.void]  # (T,) of OUTCOME, bars rising
Forecasts = NDArray[np.void]  # (N,) of FORECAST, bars rising, one row per learner and bar


def outcome_of(bars: Bars) -> Outcomes:
    """Return the row ``(1,)`` of the newest of ``bars``; its spread is known from 60 of them."""
    return outcomes_of(bars, 1)


def outcomes_of(bars: Bars, n: int) -> Outcomes:
    """Return the rows ``(n,)`` of the newest ``n`` of ``bars``, as ``outcome_of`` makes each."""
    bars = bars[max(0, len(bars) - n - SPREAD_BARS + 1) :]
    newest = bars[-n:]
    rows = np.zeros(n, OUTCOME)
    rows["bar"], rows["close"], rows["gap"] = newest["ts_open"], newest["close"], newest["gap"]
    half_spread = newest_half_spread_bps(bars) if n == 1 else half_spread_bps(bars)[-n:]
    rows["mid"], rows["half_spread_bps"] = mids_at(newest, half_spread), half_spread
    return rows


def missed_rows(outcomes: Outcomes, versions: Sequence[int]) -> Forecasts:
    """Return the rows of bars without forecasts in time, one per bar and learner's version."""
    rows = np.zeros((len(outcomes), len(versions)), FORECAST)
    rows["status"], rows["probability"], rows["action"] = MISSED, np.nan, NO_ACTION
    rows["version"] = versions
    rows["learner"] = np.arange(len(versions))
    rows["bar"], rows["gap"] = outcomes["bar"][:, None], outcomes["gap"][:, None]
    return rows.reshape(-1)


def rows_between(rows: NDArray[np.void], after: int, to: int) -> NDArray[np.void]:
    """Return the rows, sorted by ``bar``, of bars later than ``after`` up to ``to``, ns."""
    first, stop = np.searchsorted(rows["bar"], [after, to], side="right")
    return rows[first:stop]

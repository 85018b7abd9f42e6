"""The rows of the ledger: what every learner said at each bar, and what the bar came to.

    bar closes -> forecasts -> ledger -> scored -> metrics, edge, evidence, promotion

A forecast is written before its label exists and never changed. Pure; the files are
``trainers/recording/ledger.py``. Rows have no padding, so that they compare byte for byte.

    bar          ts_open of the bar at whose close the row was made  | ns, UTC
    probability  that the next close is higher, 0 to 1; NaN if the learner gave none
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MADE = 0  # in time
MISSED = 1  # too late: its label was known already
SILENT = 2  # the learner had nothing to say
FAILED = 3  # the learner raised

NO_ACTION = -1  # of a forecaster

OUTCOME = np.dtype(
    [
        ("bar", "<i8"),
        ("close", "<f8"),  # quote currency, > 0
        ("mid", "<f8"),  # between bid and ask at the close, quote currency, > 0
        ("half_spread_bps", "<f8"),  # of the mid, >= 0
        ("gap", "<i8"),  # 1: trades are missing in this bar or between it and the one before
    ]
)

FORECAST = np.dtype(
    [
        ("bar", "<i8"),  # the forecast is about the bar after it
        ("learner", "<u4"),  # index into the names in the ledger's header
        ("status", "<u1"),
        ("gap", "<u1"),  # of its bar
        ("action", "<i1"),  # an agent's: 0 HOLD, 1 BUY, 2 SELL
        ("signal", "<i1"),  # what the forecast says to do, as action
        ("version", "<u8"),  # id of the weights that forecast
        ("inputs", "<u8"),  # hash of the bars that they saw
        ("probability", "<f8"),
        ("latency_us", "<i8"),  # from the bar being known to the row being written
    ]
)

Outcomes = NDArray[np.void]  # (T,) of OUTCOME, bars rising
Forecasts = NDArray[np.void]  # (N,) of FORECAST, bars rising, a row a learner and bar

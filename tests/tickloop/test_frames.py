"""The frames say what the ledger says, with types."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.transitions import Action
from tests.datamodules.samples import random_bars
from tests.trainers.ledger_rows import STEPS, ledger_of
from tickloop.accounts import equity_frame, trade_frame
from tickloop.frames import bar_frame, forecast_frame
from trainers.recording.ledger import LedgerContents
from trainers.scoring.ledger import MISSED


def time(second):
    return pd.Timestamp(second, unit="s", tz="UTC")


@given(STEPS, st.integers(0, 100))
def test_trades_and_equity_are_one_account(steps, fee_bps):
    ledger = ledger_of(steps)
    trades, equity = trade_frame(ledger, fee_bps), equity_frame(ledger, fee_bps)
    closed, held = trades[trades["closed"].notna()], trades[trades["closed"].isna()]
    unrealised = equity.loc[held["opened"].iloc[0] :, "net_bps"].sum() if len(held) else 0.0
    if len(held) and len(closed) and closed["closed"].iloc[-1] == held["opened"].iloc[0]:
        return  # both in one bar's close: the bar's costs are of both
    assert closed["pnl_bps"].sum() + unrealised == pytest.approx(equity["net_bps"].sum(), abs=1e-6)
    assert len(held) == equity["position"].iloc[-1]
    assert (closed["opened"] <= closed["closed"]).all()
    assert equity["equity_bps"].iloc[-1] == pytest.approx(equity["net_bps"].sum(), abs=1e-6)
    assert (equity["drawdown_bps"] >= 0).all()


def test_a_trade_has_its_prices_its_reason_and_the_forecast_behind_it():
    buy, hold, sell = Action.BUY, Action.HOLD, Action.SELL
    ledger = ledger_of(
        [(buy, 2.0, False), (sell, 1.0, False), (buy, 1.0, True), (buy, 2.0, False)],
        [(hold, 2.0, False)] * 4,
    )
    trades = trade_frame(ledger, 10.0)
    assert trades["learner"].tolist() == ["l0"] * 3
    assert trades["opened"].tolist() == [time(0), time(2), time(3)]
    assert trades["closed"].tolist()[:2] == [time(1), time(2)]
    assert pd.isna(trades["closed"].iloc[2])
    assert trades["reason"].tolist()[:2] == ["signal", "gap"]
    assert trades["pnl_bps"].tolist()[:2] == [10_000 - 20, -20]
    assert trades["entry_price"].tolist() == [1.0, 2.0, 2.0]
    assert trades["probability"].tolist() == [0.7] * 3


def test_a_forecast_has_its_outcome_where_that_is_known():
    ledger = ledger_of(
        [(Action.BUY, 2.0, False), (Action.HOLD, 2.0, True), (Action.HOLD, 1.0, False)]
    )
    ledger.forecasts["status"][1] = MISSED
    frame = forecast_frame(ledger)
    assert frame.index.equals(pd.DatetimeIndex([time(i) for i in range(4)], name="time"))
    assert frame["status"].tolist() == ["made", "missed", "made", "made"]
    assert frame["signal"].tolist() == ["BUY", "HOLD", "HOLD", "HOLD"]
    assert frame["action"].isna().all()
    np.testing.assert_array_equal(frame["moved"], [1.0, np.nan, 0.0, np.nan])


def test_bars_are_indexed_by_their_opening_time_and_typed():
    bars = random_bars(50, seed=1)
    frame = bar_frame(bars)
    assert frame.index[0] == pd.Timestamp(int(bars["ts_open"][0]), tz="UTC")
    assert (frame["gap"].dtype, frame["trades"].dtype) == (bool, np.int64)
    np.testing.assert_array_equal(frame["close"], bars["close"])
    assert "final_seq" not in frame


def test_an_empty_ledger_gives_empty_frames_with_the_same_columns():
    full = ledger_of([(Action.BUY, 2.0, False)])
    empty = LedgerContents(full.names, full.outcomes[:0], full.forecasts[:0])
    for frame_of, *fee in ((forecast_frame,), (trade_frame, 1.0), (equity_frame, 1.0)):
        assert len(frame_of(empty, *fee)) == 0
        assert frame_of(empty, *fee).dtypes.to_dict() == frame_of(full, *fee).dtypes.to_dict()

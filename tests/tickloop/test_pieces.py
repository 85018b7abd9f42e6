"""A record read piece by piece says the same as all of it at once."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from datamodules.target import NEXT_BAR, Target
from streaming.bars import BarBuilder
from streaming.quotes import MARK, make_quotes
from tests.trainers.ledger_rows import STEPS, ledger_of
from tests.trainers.tapes import market
from tickloop.accounts import Accounts, trade_frame
from tickloop.frames import forecast_frame
from tickloop.pieces import built_bars
from trainers.recording.ledger import Ledger, ledger_pieces

TICKS = market(40)


@given(STEPS, STEPS, st.integers(1, 12), st.integers(1, 3))
def test_forecasts_and_trades_do_not_depend_on_the_pieces(ours, theirs, bars, horizon):
    target = Target(horizon=horizon)
    n = min(len(ours), len(theirs))
    moves = [(ours[i], (theirs[i][0], *ours[i][1:])) for i in range(n)]
    whole = ledger_of(*(list(steps) for steps in zip(*moves, strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.closing(Ledger(Path(folder), "X", whole.names)) as ledger:
            ledger.extend(whole.outcomes, whole.forecasts)
        pieces = list(ledger_pieces(Path(folder), "X", bars, ahead=horizon))
        accounts = Accounts(7.0, target)
        trades = pd.concat([accounts.update(piece) for piece in pieces])
        forecasts = pd.concat([forecast_frame(piece.contents, target) for piece in pieces])
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    pd.testing.assert_frame_equal(forecasts, forecast_frame(whole, target))
    trades = trades.sort_values("opened", kind="stable", ignore_index=True)
    order = ["learner", "opened"]
    ours, theirs = (
        frame.sort_values(order, kind="stable", ignore_index=True)
        for frame in (trades, trade_frame(whole, 7.0, target))
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_a_market_without_a_ledger_has_one_empty_piece(tmp_path):
    (piece,) = ledger_pieces(tmp_path, "X")
    assert piece.last
    assert len(forecast_frame(piece.contents)) == len(Accounts(1.0, NEXT_BAR).update(piece)) == 0


@st.composite
def quotes_of_the_ticks(draw):
    """Quotes and marks between the ticks, near their times."""
    after = sorted(draw(st.lists(st.integers(0, len(TICKS)), max_size=60)))
    quotes = make_quotes(len(after))
    quotes["after"] = after
    off = draw(st.lists(st.integers(-2000, 2000), min_size=len(after), max_size=len(after)))
    near = np.minimum(quotes["after"], len(TICKS) - 1)
    quotes["ts_event"] = TICKS["ts_event"][near] + np.array(off, np.int64) * 1_000_000
    quotes["bid"], quotes["ask"], quotes["bid_size"], quotes["updates"] = 999.0, 1001.0, 1.0, 1
    quotes["flags"] = draw(
        st.lists(st.sampled_from([0, MARK]), min_size=len(after), max_size=len(after))
    )
    return quotes


def cut(draw, rows):
    at = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=6)))
    return np.split(rows, at)


@given(quotes_of_the_ticks(), st.data())
def test_bars_built_from_pieces_are_the_same_bits(quotes, data):
    whole = BarBuilder().update(TICKS.copy(), quotes.copy())
    pieces = built_bars(cut(data.draw, TICKS), cut(data.draw, quotes), 0)
    assert np.concatenate(list(pieces)).tobytes() == whole.tobytes()

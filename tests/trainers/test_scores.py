from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.transitions import BUY, HOLD, SELL
from trainers.learners.learner import Forecast
from trainers.scoring.account import Account
from trainers.scoring.scores import Scores

# Whole numbers: sums are exact, whatever their order.
STEPS = st.lists(st.tuples(st.sampled_from([HOLD, BUY, SELL]), st.integers(-500, 500)), max_size=40)


def play(steps, fee_bps):
    account = Account(fee_bps)
    for action, ret in steps:
        account.trade(action)
        account.earn(ret)
    return account


@given(STEPS, st.integers(0, 100))
def test_net_profit_is_gross_less_a_fee_for_each_change(steps, fee_bps):
    position, changes, gross, trades, wins, entry = 0, 0, 0.0, 0, 0, 0.0
    for action, ret in steps:
        if (action, position) in ((BUY, 0), (SELL, 1)):
            changes += 1
            position = 1 - position
            if position == 0:
                trades += 1
                wins += entry > 2 * fee_bps
            entry = 0.0
        gross += position * ret
        entry += position * ret
    account = play(steps, fee_bps)
    assert (account.bars, account.position) == (len(steps), position)
    assert account.gross_bps == gross
    assert account.pnl_bps == gross - fee_bps * changes
    assert (account.trades, account.wins) == (trades, wins)


def test_an_account_by_hand():
    account = play([(BUY, 30), (HOLD, -5), (SELL, 99), (BUY, 4), (BUY, 4), (SELL, 0)], fee_bps=10)
    assert (account.trades, account.wins, account.win_rate) == (2, 1, 0.5)
    assert account.gross_bps == 33
    assert account.pnl_bps == 33 - 4 * 10


def test_a_trade_that_earns_its_costs_exactly_is_no_win():
    account = play([(BUY, 20), (SELL, 0)], fee_bps=10)
    assert (account.trades, account.wins, account.pnl_bps) == (1, 0, 0)


def test_there_is_no_win_rate_without_a_closed_trade():
    assert play([(BUY, 5)], fee_bps=1).win_rate is None


def score(pairs, *, start=100.0, fee_bps=0.0, confidence=0.65, gaps=()):
    """Scores of (forecast, next close) pairs; ``gaps`` are indices of closes after a gap."""
    scores, close = Scores(confidence=confidence, fee_bps=fee_bps), start
    for i, (forecast, after) in enumerate(pairs):
        scores.forecast(forecast, close)
        close = after
        scores.label(close, gap=i in gaps)
    return scores


def test_scores_by_hand():
    scores = score([(Forecast(0.8), 101), (Forecast(0.6), 100), (Forecast(0.2), 99)])
    metrics = scores.metrics()
    assert metrics["live/scored"] == 3
    assert metrics["live/accuracy"] == pytest.approx(2 / 3)
    assert metrics["live/log_loss"] == pytest.approx(-math.log(0.8 * 0.4 * 0.8) / 3)
    assert metrics["live/trades"] == 1
    wanted = 1e4 * (101 / 100 - 1) + 1e4 * (100 / 101 - 1)  # in until the third forecast
    assert metrics["live/pnl_bps"] == pytest.approx(wanted)


def test_a_bar_that_did_not_move_is_counted_as_flat_and_not_scored():
    metrics = score([(Forecast(0.9), 100), (Forecast(0.9), 101)]).metrics()
    assert (metrics["live/flat"], metrics["live/scored"], metrics["live/accuracy"]) == (1, 1, 1)


@pytest.mark.parametrize("after", [99, 101])
def test_one_half_is_right_half_of_the_time(after):
    assert score([(Forecast(0.5), after)]).metrics()["live/accuracy"] == 0.5


def test_a_gap_takes_the_label_of_the_waiting_forecast_away():
    scores = score([(Forecast(0.9), 150), (Forecast(0.9), 151)], gaps={0})
    assert (scores.broken, scores.scored) == (1, 1)
    assert scores.account.gross_bps == pytest.approx(1e4 * (151 / 150 - 1))


def test_no_forecast_is_no_case():
    scores = score([(None, 101), (None, 102)])
    assert scores.metrics() == {"live/scored": 0, "live/flat": 0, "live/trades": 0}


def test_a_sure_forecast_that_is_wrong_costs_a_finite_log_loss():
    metrics = score([(Forecast(1.0), 99), (Forecast(0.0), 100)]).metrics()
    assert metrics["live/accuracy"] == 0
    assert 10 < metrics["live/log_loss"] < 20


def test_an_agent_is_scored_by_its_account_alone():
    metrics = score([(Forecast(action=BUY), 102), (Forecast(action=SELL), 90)], fee_bps=1).metrics()
    assert "live/accuracy" not in metrics
    assert metrics["live/win_rate"] == 1
    assert metrics["live/pnl_bps"] == pytest.approx(200 - 2)
    assert metrics["live/average_reward"] == pytest.approx((200 - 2) / 2)


@pytest.mark.parametrize(
    "probability, wanted",
    [(0.65, BUY), (0.649, HOLD), (0.351, HOLD), (0.35, SELL), (0.0, SELL), (1.0, BUY)],
)
def test_a_forecast_is_a_signal_from_the_confidence_on(probability, wanted):
    assert Scores(confidence=0.65, fee_bps=0).action(Forecast(probability)) == wanted


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([99.0, 100.0, 101.0])), max_size=30))
def test_the_mirrored_market_gives_the_mirrored_forecasts_the_same_scores(pairs):
    # Moves are +-1 of 100, so mirror around 100: up becomes down.
    def run(mirrored):
        scores = Scores(confidence=0.65, fee_bps=1)
        for probability, after in pairs:
            said = 1 - probability if mirrored else probability
            scores.forecast(Forecast(said), 100.0)
            scores.label(200 - after if mirrored else after, gap=False)
        return scores.metrics()

    once, again = run(False), run(True)
    for name in ("live/scored", "live/flat", "live/log_loss"):
        assert once.get(name) == pytest.approx(again.get(name), abs=1e-6)

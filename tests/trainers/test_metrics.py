from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    matthews_corrcoef,
    roc_auc_score,
)

from datamodules.transitions import Action
from tests.trainers.ledger_rows import score, score_directions
from tests.trainers.whole import scores_of
from trainers.scoring.batches import Batches
from trainers.scoring.direction.calibration import calibration_error
from trainers.scoring.direction.cases import Directions
from trainers.scoring.direction.grid import cells_of
from trainers.scoring.direction.scores import kappa
from trainers.scoring.interval import half_width, rate_of
from trainers.scoring.ledger import FAILED, MADE, MISSED, SILENT
from trainers.scoring.metrics import DIRECTION
from trainers.scoring.scored import Samples

# Few values, so that there are ties; one half is right half of the time, which sklearn is not.
PROBABILITIES = st.sampled_from([0.0, 0.1, 0.4, 0.45, 0.55, 0.8, 1.0]) | st.floats(0, 1)
FORECASTS = st.lists(st.tuples(PROBABILITIES.filter(lambda p: p != 0.5), st.booleans()), min_size=2)
SEEDS = 300


def live(*args, fee_bps=0.0, **kwargs):
    """The scores since the session began, without their prefix."""
    found = scores_of(score(*args, **kwargs), fee_bps)
    return {name[5:]: value for name, value in found.items() if name.count("/") == 1}


# ---- values


@given(FORECASTS)
def test_scores_of_directions_are_those_of_sklearn(forecasts):
    probability, up = (np.array(column) for column in zip(*forecasts, strict=True))
    found = scores_of(score_directions(up, probability), 0.0)
    said = probability > 0.5
    assert found["live/accuracy"] == pytest.approx(accuracy_score(up, said))
    assert found["live/brier"] == pytest.approx(brier_score_loss(up, probability))
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    assert found["live/log_loss"] == pytest.approx(log_loss(up, clipped, labels=[0, 1]))
    assume(0 < up.sum() < len(up))
    assert found["live/auc"] == pytest.approx(roc_auc_score(up, cells_of(probability)))
    assume(0 < said.sum() < len(said))
    assert found["live/mcc"] == pytest.approx(matthews_corrcoef(up, said), abs=1e-12)


def test_scores_are_as_computed_by_hand():
    found = live([100, 101, 100, 100, 99, 100], [0.8, 0.6, 0.9, 0.2, 0.5, 0.9])
    assert (found["scored"], found["flat"]) == (4, 1)
    assert found["flat_rate"] == pytest.approx(1 / 5)
    assert found["accuracy"] == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert found["log_loss"] == pytest.approx(-math.log(0.8 * 0.4 * 0.8 * 0.5) / 4)
    assert found["brier"] == pytest.approx((0.04 + 0.36 + 0.04 + 0.25) / 4)
    assert found["auc"] == pytest.approx((1 + 1 + 0 + 1) / 4)


def test_kappa_is_the_share_of_no_changes_errors_that_are_not_made():
    # The first case has no direction to repeat, so no-change is right half of the time there.
    up, probability = [1, 1, 0, 0, 1], [0.9, 0.9, 0.9, 0.1, 0.9]
    found = scores_of(score_directions(up, probability), 0.0)
    p_nc = (0.5 + 1 + 0 + 1 + 0) / 5
    assert found["live/kappa"] == pytest.approx((4 / 5 - p_nc) / (1 - p_nc))
    assert scores_of(score_directions([1, 1], [0.9, 0.9]), 0.0)["live/kappa"] == 1
    assert kappa(Directions.of(Samples(np.array([0.9]), np.ones(1), np.ones(1)))) is None


def test_the_calibration_error_is_as_computed_by_hand():
    # 0.4 comes up as often as it says, 0.8 too seldom.
    probability = np.repeat([0.4, 0.8], [50, 50])
    up = np.concatenate([np.arange(50) % 5 < 2, np.arange(50) % 5 < 3]).astype(float)
    found = calibration_error(Directions.of(Samples(probability, up, up)))
    assert found.value == pytest.approx((0.0 + 0.2) / 2)


def test_bins_hold_equal_counts():
    probability, up = np.arange(1, 11) / 100, np.tile([1.0, 0.0], 5)
    found = calibration_error(Directions.of(Samples(probability, up, up)))
    assert found.value == pytest.approx(np.abs(up - probability).mean())  # a bin each


def test_equal_probabilities_share_a_bin():
    rng = np.random.default_rng(0)
    up = (rng.random(1000) < 0.5).astype(float)
    found = calibration_error(Directions.of(Samples(np.full(1000, 0.5), up, up)))
    assert found.value == pytest.approx(abs(up.mean() - 0.5))


def test_scores_of_the_account_by_hand():
    signals = [Action.BUY, Action.SELL, Action.BUY, Action.SELL, Action.HOLD]
    found = live([100, 101, 101, 100, 100], [np.nan] * 5, signals=signals, fee_bps=2)
    lost = 1e4 * (100 / 101 - 1)
    assert (found["trades"], found["win_rate"]) == (2, 0.5)
    assert found["gross_bps"] == pytest.approx(100 + lost)
    assert found["pnl_bps"] == pytest.approx(100 + lost - 8)
    assert found["average_reward"] == pytest.approx(found["pnl_bps"] / 4)
    assert found["profit_per_trade"] == pytest.approx(found["pnl_bps"] / 2)
    assert found["turnover"] == 1
    assert found["drawdown"] == pytest.approx(-lost + 6)


def test_a_trade_that_earns_its_costs_exactly_is_no_win():
    signals = [Action.BUY, Action.SELL, Action.HOLD]
    assert live([1, 2, 2], [np.nan] * 3, signals=signals, fee_bps=5000)["win_rate"] == 0
    assert live([1, 2, 2], [np.nan] * 3, signals=signals, fee_bps=4999)["win_rate"] == 1


def test_break_even_is_one_half_and_cost_over_the_size_of_a_move():
    closes = 100 * np.cumprod([1, 1.001, 1, 1.001, 1 / 1.001])
    found = live(closes, [np.nan] * 5, fee_bps=1.5, half_spread_bps=0.5)
    assert found["break_even"] == pytest.approx(0.5 + 2 / 10, abs=1e-4)


def test_forecasts_are_counted_by_what_became_of_them():
    status = [MADE, MISSED, SILENT, SILENT, FAILED, MADE, MADE]
    found = live([1, 2, 3, 4, 5, 6, 7], [0.9] * 7, status=status, gaps=[6])
    names = ("scored", "missed", "silent", "failed", "broken")
    assert [found[name] for name in names] == [1, 1, 2, 1, 1]
    assert found["missed_rate"] == 1 / 7


# ---- what is left out


def test_scores_without_a_case_are_left_out_and_none_is_ever_nan():
    counts = {"scored", "flat", "broken", "missed", "silent", "failed", "trades"}
    assert set(live([], [])) == counts
    assert set(live([100], [0.9])) == counts | {"missed_rate"}
    silent = set(live([100, 101], [np.nan] * 2, status=SILENT))
    assert silent == counts | {"missed_rate", "break_even"}
    flat = set(live([100, 100], [0.9, 0.9]))
    assert flat >= {"flat_rate", "pnl_bps"}
    assert not flat & {"accuracy", "auc", "break_even", "win_rate"}
    one = set(live([100, 101], [0.9, 0.9]))
    assert one >= {"accuracy", "log_loss"}
    assert not one & {"auc", "mcc"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([99.0, 100.0, 101.0]),
            PROBABILITIES | st.just(math.nan),
            st.sampled_from([MADE, MISSED]),
            st.sampled_from([Action.HOLD, Action.BUY, Action.SELL]),
        ),
        min_size=1,
    )
)
def test_every_score_is_a_number(bars):
    closes, probability, status, signals = zip(*bars, strict=True)
    scored = score(closes, probability, status=status, signals=signals, gaps=[len(bars) // 2])
    found = scores_of(scored, 1.0)
    assert np.isfinite(list(found.values())).all()
    assert all(value >= 0 for name, value in found.items() if name.endswith("_ci"))


# ---- windows


def test_windows_are_market_time_back_from_the_newest_bar():
    n = 5000
    up = np.arange(n) >= n - 600  # what the last ten minutes were forecast to be
    found = scores_of(score_directions(up, np.full(n, 0.9)), 0.0)
    assert found["live/scored"] == n
    assert (found["live/10m/scored"], found["live/10m/accuracy"]) == (600, 1)
    assert (found["live/1h/scored"], found["live/1h/accuracy"]) == (3600, 1 / 6)


def test_a_window_is_shorter_in_bars_where_the_market_was_silent():
    closes, bars = [100, 101, 102, 103], [0, 1, 900, 901]
    found = scores_of(score(closes, [0.9] * 4, bars=bars), 0.0)
    assert (found["live/10m/scored"], found["live/1h/scored"]) == (1, 2)


def test_a_position_taken_before_a_window_earns_in_it():
    n = 700
    closes = 100 * np.cumprod(np.full(n, 1.0001))
    found = scores_of(
        score(closes, [np.nan] * n, signals=[Action.BUY] + [Action.HOLD] * (n - 1)), 1.0
    )
    assert found["live/pnl_bps"] == pytest.approx(699 - 1)
    assert found["live/10m/pnl_bps"] == pytest.approx(600)


# ---- intervals


def forecasts_that_know_something(rng, n, memory):
    """``n`` overconfident forecasts; signals and outcomes both remember when ``memory`` > 0."""
    shocks = rng.standard_normal((2, n + 200))
    for t in range(1, n + 200):
        shocks[:, t] = memory * shocks[:, t - 1] + math.sqrt(1 - memory**2) * shocks[:, t]
    signal, noise = shocks[:, 200:]
    up = (0.4 * signal + noise + 0.1 > 0).astype(float)
    before = np.concatenate([[0.0], 2 * up[:-1] - 1])
    return Samples(1 / (1 + np.exp(-1.5 * signal)), up, before)


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_intervals_of_direction_scores_hold_the_truth(memory):
    rng = np.random.default_rng(4)
    truth = Directions.of(forecasts_that_know_something(rng, 200_000, memory))
    samples = [Directions.of(forecasts_that_know_something(rng, 600, memory)) for _ in range(SEEDS)]
    for name, measure in DIRECTION.items():
        true = measure(truth).value
        found = [measure(sample) for sample in samples]
        held = np.mean([abs(one.value - true) <= one.half_width for one in found])
        assert 0.9 <= held <= 0.985, (name, held)


def test_intervals_are_wider_where_neighbours_are_alike():
    rng = np.random.default_rng(5)
    alone = rng.standard_normal(3600)
    runs = np.repeat(rng.standard_normal(360), 10)
    assert half_width(runs) / half_width(alone) == pytest.approx(math.sqrt(10), rel=0.3)
    assert half_width(alone) == pytest.approx(1.96 / 60, rel=0.25)


@pytest.mark.parametrize("name", DIRECTION)
def test_every_interval_knows_the_order_of_time(name):
    # Each case comes ten times in a row: there is a tenth of the information.
    rng = np.random.default_rng(7)
    samples = forecasts_that_know_something(rng, 360, 0.0)
    columns = [np.repeat(column, 10) for column in samples]
    order = rng.permutation(3600)
    runs = Directions.of(Samples(*columns))
    mixed = Directions.of(Samples(*(column[order] for column in columns)))
    measure = DIRECTION[name]
    assert measure(runs).value == pytest.approx(measure(mixed).value)
    assert 2.2 < measure(runs).half_width / measure(mixed).half_width < 4.2


def test_the_interval_of_a_rare_direction_forecast_without_error_is_unknown():
    up = (np.arange(1000) % 10 == 0).astype(float)
    found = DIRECTION["mcc"](Directions.of(Samples(0.2 + 0.6 * up, up, up)))
    assert found.value == pytest.approx(1)
    assert found.half_width is None


def test_the_interval_of_the_profit_holds_the_truth():
    # Positions of several bars on a market without drift: the truth is 0.
    rng = np.random.default_rng(6)
    held = []
    for _ in range(SEEDS):
        closes = 100 * np.exp(1e-4 * rng.standard_normal(800).cumsum())
        signals = rng.choice([Action.HOLD, Action.BUY, Action.SELL], 800, p=[0.8, 0.1, 0.1])
        found = live(closes, [np.nan] * 800, signals=signals)
        held.append(abs(found["gross_bps"]) <= found["gross_bps_ci"])
    assert 0.9 <= np.mean(held) <= 0.985


def test_few_or_equal_values_have_no_interval():
    assert half_width(np.array([1.0, 2, 3, 4, 5])) is None
    assert half_width(np.array([1.0, 2, 3, 4, 5, 6])) > 0
    assert Batches.of(np.ones(1000)).mean_of() == (1, None)


@pytest.mark.parametrize(
    "hits, n, low, high",  # Wilson's interval, from statsmodels' proportion_confint
    [(0, 1, 0.0, 0.7935), (1, 1, 0.2065, 1.0), (2, 4, 0.1500, 0.8500), (9, 10, 0.5958, 0.9821)],
)
def test_a_rate_of_few_cases_has_wilsons_interval(hits, n, low, high):
    rate, width = rate_of(hits, n)
    assert rate == hits / n
    assert width == pytest.approx(max(rate - low, high - rate), abs=2e-4)

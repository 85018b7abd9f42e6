from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from datamodules.labelled_rows import labelled_rows
from datamodules.transitions import Action
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Momentum, Signs
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.learners.baselines.logistic import Logistic
from trainers.learners.baselines.naive import (
    BuyAndHold,
    Flat,
    LastDirection,
    Majority,
    Random,
    Reversal,
    moves_of,
)
from trainers.learners.baselines.permuted_labels import PermutedLabels
from trainers.learners.learner import Context

CONTEXT = Context.of(SessionConfig())


def learned(kind, bars, **settings):
    learner = kind(Context.of(SessionConfig(**settings)))
    learner.learn(snapshot_of(bars))
    return learner


def bars_of(process, n, seed=0):
    rng = np.random.default_rng(seed)
    return bars_of_path(rng, process.draw(rng, n).returns)


def said(learner, bars, cycle_seconds=60):
    """Test-then-train probabilities, and what came; from the second half on."""
    config = SessionConfig(cycle_seconds=cycle_seconds)
    forecasts = forecasts_of(learner, bars, config)[:-1]
    start = len(bars) // 2
    p = np.array([forecast.probability for forecast in forecasts[start:]])
    return p, np.diff(bars["close"])[start:] > 0


def gain(p, up):
    """How much better than one half, nats a bar."""
    return math.log(2) + float(np.log(np.where(up, p, 1 - p)).mean())


UPS = bars_from([5, 6, 7, 7, 6, 7])  # up, up, flat, down, up


def test_moves_are_signs_and_none_where_a_gap_hides_them():
    assert moves_of(UPS).tolist() == [1, 1, 0, -1, 1]
    gap = bars_from([5, 6, 7, 7, 6, 7], gaps=[1])
    assert moves_of(gap).tolist() == [0, 0, 0, -1, 1]


def test_majority_is_the_share_of_ups_with_one_of_each_added():
    assert learned(Majority, UPS).forecast(UPS) == pytest.approx((3 + 1) / (4 + 2))
    still = bars_from(np.ones(9))
    assert learned(Majority, still).forecast(still) == 0.5


def test_last_direction_says_how_often_a_move_went_on_by_hand():
    bars = bars_from([1, 2, 3, 3, 4, 3])  # up, up, flat, up, down: two of three went on
    last = learned(LastDirection, bars)
    agreed = (2 + 1) / (3 + 2)
    assert last.forecast(bars) == pytest.approx(1 - agreed)  # the last was down
    assert last.forecast(bars[:-1]) == pytest.approx(agreed)
    assert last.forecast(bars[:-2]) == pytest.approx(agreed)  # the last that moved
    assert learned(Reversal, bars).forecast(bars) == 0.5


def test_reversal_says_how_often_a_move_was_taken_back_by_hand():
    bars = bars_from([1, 2, 1, 2, 3])  # up, down, up, up: two of three were taken back
    taken_back = (2 + 1) / (3 + 2)
    assert learned(Reversal, bars).forecast(bars) == pytest.approx(1 - taken_back)
    assert learned(LastDirection, bars).forecast(bars) == 0.5


@pytest.mark.parametrize("kind, same", [(LastDirection, 0.7), (Reversal, 0.3)])
def test_a_naive_rule_is_calibrated_where_it_holds_and_one_half_where_it_does_not(kind, same):
    p, up = said(kind(CONTEXT), bars_of(Signs(same), 4000))
    assert set(np.round(np.abs(p - 0.5), 1)) == {0.2}
    for high in (True, False):
        chosen = (p > 0.5) == high
        error = 4 * math.sqrt(0.21 / chosen.sum())
        assert up[chosen].mean() == pytest.approx(p[chosen].mean(), abs=error)
    against, _ = said(kind(CONTEXT), bars_of(Signs(1 - same), 4000))
    assert set(against) == {0.5}


@pytest.mark.parametrize("kind", [LastDirection, Reversal])
def test_a_market_still_for_more_than_a_minute_says_nothing_of_the_last_move(kind):
    bars = bars_from(np.r_[1.0, 2.0, 1.0, np.full(60, 2.0)])
    learner = learned(kind, bars)
    assert learner.forecast(bars) is not None
    assert learner.forecast(bars_from(np.r_[1.0, 2.0, 1.0, np.full(61, 2.0)])) is None


def test_flat_is_never_in_and_buy_and_hold_is_always():
    bars = random_bars(200)
    for kind, action in ((Flat, Action.SELL), (BuyAndHold, Action.BUY)):
        learner = learned(kind, bars)
        assert {learner.forecast(bars[:t])[0] for t in range(2, 200)} == {action}


def random_actions(turnover, *, n=4000, seed=0):
    bars = bars_from(np.arange(1.0, n))
    learner = learned(Random, bars, seed=seed)
    learner.trade_like(turnover)
    return [learner.forecast(bars[: t + 1])[0] for t in range(1, len(bars))]


@pytest.mark.parametrize("turnover", [0.0, 0.02, 0.1, 0.4])
def test_random_changes_its_position_as_often_as_told(turnover):
    position, changes, actions = 0, 0, random_actions(turnover)
    for action in actions:
        wanted = {Action.BUY: 1, Action.SELL: 0, Action.HOLD: position}[action]
        changes += wanted != position
        position = wanted
    error = 4 * math.sqrt(turnover / len(actions))
    assert changes / len(actions) == pytest.approx(turnover, abs=error)


def test_random_draws_the_same_at_every_replay_and_another_with_another_seed():
    assert random_actions(0.3, n=400) == random_actions(0.3, n=400)
    assert random_actions(0.3, n=400) != random_actions(0.3, n=400, seed=1)


def test_the_draw_of_a_bar_does_not_depend_on_what_was_asked_before():
    bars = bars_from(np.arange(1.0, 300))
    whole = random_actions(0.4, n=300)
    learner = learned(Random, bars)
    learner.trade_like(0.4)
    assert learner.forecast(bars[:200])[0] == whole[198]
    assert learner.forecast(bars[150:200])[0] == whole[198]


def test_logistic_learns_each_row_once_however_often_it_is_shown():
    bars, logistic = random_bars(400), Logistic(CONTEXT)
    reports = [logistic.learn(snapshot_of(bars[:t]))["rows"] for t in (200, 200, 230, 400)]
    rows = [len(labelled_rows(bars[:t], "flow").x) for t in (200, 200, 230, 400)]
    assert reports == [rows[0], 0, rows[2] - rows[1], rows[3] - rows[2]]
    shown_late = Logistic(CONTEXT)
    for oldest, newest in ((0, 200), (100, 230), (180, 400)):
        shown_late.learn(snapshot_of(bars[oldest:newest]))
    # Rows of the same bars, whatever the history they came with.
    assert shown_late.forecast(bars) == logistic.forecast(bars)


def test_logistic_is_the_pipeline_of_streaming_ml_by_hand():
    bars = random_bars(400)
    rows = labelled_rows(bars, "flow")
    by_hand = make_pipeline(
        StandardScaler(),
        SGDClassifier(
            loss="log_loss", learning_rate="constant", eta0=0.01, max_iter=1, tol=None,
            shuffle=False,
        ),
    ).fit(rows.x, rows.up)  # fmt: skip
    wanted = by_hand.predict_proba(rows.x[-1:])[0, 1]
    assert learned(Logistic, bars).forecast(bars[:-1]) == pytest.approx(wanted, abs=0.01)


def test_on_a_strongly_predictable_market_logistic_knows_much_and_the_control_nothing():
    markets = [bars_of(Momentum(1.0, 0.05), 2000, seed) for seed in range(4)]
    assert gain(*said(Logistic(CONTEXT), markets[0])) > 0.08
    # Permuted labels still tell the share of ups, which in one of these markets is no half.
    gains = [gain(*said(PermutedLabels(CONTEXT), bars, cycle_seconds=120)) for bars in markets]
    assert max(gains) < 0.02
    assert np.mean(gains) < 0.002


def test_the_control_would_know_much_if_its_labels_were_not_permuted(monkeypatch):
    bars = bars_of(Momentum(1.0, 0.05), 2000)

    class Leaking:
        def permutation(self, up):
            return up

    monkeypatch.setattr("datamodules.snapshot.Snapshot.rng", lambda *_: Leaking())
    assert gain(*said(PermutedLabels(CONTEXT), bars)) > 0.08


def test_the_control_permutes_anew_each_cycle_and_the_same_at_every_replay():
    bars = random_bars(300, flat=0.0)
    learners = [PermutedLabels(CONTEXT) for _ in range(3)]
    for learner, cycle in zip(learners, (1, 1, 2), strict=True):
        learner.learn(snapshot_of(bars, cycle=cycle))
    first, again, later = (learner.forecast(bars) for learner in learners)
    assert first == again != later

"""Forecasts several bars ahead: labels that come late and overlap are scored honestly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.labelled_rows import labelled_rows
from datamodules.target import Target
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Martingale
from tests.trainers.ledger_rows import outcomes_of, score
from tests.trainers.whole import forecasts_of, judge_control
from trainers.config import SessionConfig
from trainers.learners.cnn.unlabelled import NONE, Unlabelled
from trainers.learners.registry import PERMUTED_LABELS, baselines_of, learners_of
from trainers.scoring.batches import Batches
from trainers.scoring.market.horizons import Horizons
from trainers.scoring.moves import moves_of
from trainers.scoring.promotion.differences import by_brier
from trainers.scoring.promotion.eprocess import Evidence
from trainers.scoring.promotion.lagged import Lagged

relaxed = settings(deadline=None, max_examples=50)  # the machine may be busy with others
H = 5
AHEAD = Target(horizon=H)
SMALL = {"cnn_updates": 1, "cnn_batch_size": 16, "learners": "cnn", "cycle_seconds": 20}


# ---- labels


@relaxed
@given(
    st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 7]), st.sampled_from([-1, 0, 1]),
                       st.sampled_from([False] * 9 + [True])), max_size=40),
    st.integers(1, 6),
)  # fmt: skip
def test_a_label_is_the_move_over_the_horizon_known_no_earlier_and_none_crosses_a_gap(bars, h):
    closes = 100 + np.cumsum([bar[1] for bar in bars], dtype=float)
    seconds = np.cumsum([bar[0] for bar in bars], dtype=int)
    gaps = [i for i, bar in enumerate(bars) if bar[2]]
    moves = moves_of(outcomes_of(closes, bars=seconds, gaps=gaps), Target(horizon=h))
    for t in range(len(bars)):
        assert moves.open[t] == (t + h >= len(bars))
        if moves.open[t]:
            assert moves.moved[t] == 0
            continue
        between = range(t + 1, t + h + 1)
        lost = any(bars[i][2] or bars[i][0] != 1 for i in between)
        assert moves.lost[t] == lost
        assert moves.moved[t] == (0 if lost else closes[t + h] - closes[t])
        told = [moves.moved[s] for s in range(t - h + 1) if moves.moved[s]]
        assert moves.direction[t] == (np.sign(told[-1]) if told else 0)


def test_a_bar_of_another_length_follows_the_one_before_by_that_length():
    rows = outcomes_of([100, 101, 102], bars=[0, 60, 180])
    moves = moves_of(rows, Target(bar_seconds=60))
    assert moves.broken.tolist() == [False, True, False]


@pytest.fixture(scope="module")
def martingale():
    rng = np.random.default_rng(7)
    return bars_of_path(rng, Martingale().draw(rng, 700).returns)


def test_no_row_is_learned_from_before_its_label_is_known(martingale):
    n, close = 300, martingale["close"]
    rows = labelled_rows(martingale[:n], "flow", horizon=H)
    assert rows.ts.max() == martingale["ts_open"][n - 1]
    at = np.searchsorted(martingale["ts_open"], rows.ts)
    assert rows.up.tolist() == (close[at] > close[at - H]).tolist()


def test_experts_are_weighed_by_what_they_said_once_the_label_is_known(martingale):
    ts, said = martingale["ts_open"][200:210], np.arange(60.0).reshape(10, 6)
    waiting = NONE.then(Unlabelled(ts, said))
    early, up, waiting = waiting.labelled(martingale[:212], "close", H)
    later, up_later, left = waiting.labelled(martingale[:230], "close", H)
    close = martingale["close"]
    moved = close[200 + H : 210 + H] - close[200:210]
    assert len(early) == (moved[:7] != 0).sum()  # the last known label is that of bar 206
    assert len(left.ts) == 0
    assert np.concatenate([early, later]).tolist() == said[moved != 0].tolist()
    assert np.concatenate([up, up_later]).tolist() == (moved[moved != 0] > 0).tolist()


# ---- learners


def said_by(bars, name, **changes):
    config = SessionConfig.of(horizon=H, **SMALL, **changes)
    learner = {**learners_of(config), **baselines_of(config)}[name]
    return [
        np.nan if one is None else one.probability for one in forecasts_of(learner, bars, config)
    ]


def other_future(bars, n):
    other = bars.copy()
    for name in ("open", "high", "low", "close", "bid", "ask", "last_sold", "last_bought"):
        other[name][n:] = bars[name][n:][::-1]
    return other


@pytest.mark.parametrize("name", ["cnn", "logistic", "majority", "reversal", PERMUTED_LABELS])
def test_with_another_future_all_forecasts_before_it_are_the_same(martingale, name):
    n = 450
    bars = martingale[:500]
    found, other = said_by(bars, name), said_by(other_future(bars, n), name)
    assert np.isfinite(found[:n]).sum() > 200
    assert np.array_equal(found[:n], other[:n], equal_nan=True)
    assert not np.array_equal(found[n:], other[n:], equal_nan=True)


def scored_at(bars, said):
    seconds = (bars["ts_open"] // 10**9).tolist()
    return score(bars["close"], said, target=AHEAD, bars=seconds)


def test_the_control_is_at_chance_on_overlapping_labels_and_who_knows_them_is_found(
    martingale,
):
    majority = scored_at(martingale, said_by(martingale, "majority"))
    control = scored_at(martingale, said_by(martingale, PERMUTED_LABELS))
    assert not judge_control(control, majority, AHEAD).alarm
    close = martingale["close"]
    knows = np.full(len(close), np.nan)
    knows[:-H] = np.where(close[H:] > close[:-H], 0.7, 0.3)
    assert judge_control(scored_at(martingale, knows), majority, AHEAD).alarm


# ---- evidence


def log_e_of(steps, h, deviation):
    """E for who bets on momentum against a coin, when the steps ``(n,)`` have been seen."""
    closes = 1e4 + np.concatenate([[0.0], np.cumsum(steps)])
    said = 0.5 + deviation * np.concatenate([[0.0], np.sign(steps)])
    target = Target(horizon=h)
    ours = score(closes, said, target=target)
    coin = score(closes, np.full(len(closes), 0.5), target=target)
    evidence = Lagged(target)
    evidence.bet(by_brier(ours, coin))
    return evidence.log_value


def best_stop(h, n, deviation, value=log_e_of):
    """The highest expected E of all who may stop at any bar of a fair random walk of ``n`` steps.

    By backward induction over all paths (the Snell envelope): a stopping rule that looks at every
    bar, the one just closed included, cannot do better.
    """
    best = {}
    for k in range(n, -1, -1):
        for steps in itertools.product((-1.0, 1.0), repeat=k):
            now = np.exp(value(np.array(steps), h, deviation))
            later = [best[(*steps, step)] for step in (-1.0, 1.0)] if k < n else [0.0, 0.0]
            best[steps] = max(now, sum(later) / 2)
    return best[()]


def mean_of_settled(steps, h, deviation):
    """The same E, but for bets that are open: they are left out instead of counted as lost."""
    closes = 1e4 + np.concatenate([[0.0], np.cumsum(steps)])
    said = 0.5 + deviation * np.concatenate([[0.0], np.sign(steps)])
    ours, coin = (score(closes, p, target=Target(horizon=h)) for p in (said, said * 0 + 0.5))
    found = by_brier(ours, coin)
    money = []
    for i in range(h):
        one, whose = Evidence(7200 / h), found.bar // 10**9 % h == i
        one.bet(found.better[whose], found.most[whose])
        money.append(one.log_value)
    return np.logaddexp.reduce(money) - np.log(h)


def test_nobody_who_may_stop_at_any_bar_can_expect_more_than_1():
    """On a fair walk, with forecasts that follow the last step: what is half seen helps to stop."""
    for h in (1, 2, 3):
        assert best_stop(h, 8, 0.02) <= 1 + 1e-12
    assert best_stop(3, 8, 0.02, mean_of_settled) > 1.001


def test_with_one_bar_ahead_it_is_the_plain_evidence():
    rng = np.random.default_rng(3)
    closes, said = 100 + np.cumsum(rng.integers(-1, 2, 400)), rng.random(400)
    found = by_brier(score(closes, said), score(closes, np.full(400, 0.5)))
    plain, evidence = Evidence(), Lagged()
    plain.bet(found.better, found.most)
    evidence.bet(found)
    for name in ("log_value", "log_peak", "bars", "rate"):
        assert getattr(evidence, name) == getattr(plain, name)


def test_who_knows_the_move_is_proven_in_spite_of_the_overlap():
    rng = np.random.default_rng(2)
    steps = np.repeat(rng.choice([-1.0, 1.0], 60), 20)  # trends of 20 bars
    found = [log_e_of(steps[:n], H, 0.2) for n in (100, 400, 1200)]
    assert found[0] < found[1] < found[2]
    assert found[2] > np.log(20)


# ---- intervals


def test_an_interval_of_overlapping_labels_holds_the_truth_as_often_as_it_says():
    h, n, runs, held = 20, 900, 300, {True: 0, False: 0}
    rng = np.random.default_rng(1)
    for _ in range(runs):
        closes = np.cumsum(rng.standard_normal(n + h))
        hits = (closes[h:] > closes[:-h]).astype(float)
        for minded in held:
            value, width = Batches.of(hits, overlap=(h - 1) * minded).mean_of()
            held[minded] += abs(value - 0.5) <= width
    assert held[True] / runs > 0.92
    assert held[False] / runs < 0.92


# ---- what moves over a horizon need to pay


@pytest.mark.parametrize("cut", [1, 3, 17, 60])
def test_moves_over_each_horizon_are_measured_whether_forecast_or_not(cut):
    rng = np.random.default_rng(4)
    mids = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, 60)))
    rows = outcomes_of(mids, half_spread_bps=0.25, bars=5 * np.arange(60))
    found = Horizons(fee_bps=0.5, target=Target(horizon=2, bar_seconds=5))
    for start in range(0, 60, cut):
        found.take(rows[start : start + cut])
    scores = found.scores()
    assert {name.split("/")[1] for name in scores} == {"5s", "10s", "15s", "60s"}  # 300 s: no move
    for bars in (1, 2, 3, 12):
        size = 1e4 * np.abs(mids[bars:] / mids[:-bars] - 1).mean()
        assert scores[f"horizon/{5 * bars}s/move_bps"].value == pytest.approx(size)
        assert scores[f"horizon/{5 * bars}s/break_even"].value == pytest.approx(0.5 + 0.75 / size)

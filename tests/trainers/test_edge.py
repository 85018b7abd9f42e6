from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trainers.ledger_rows import SECOND, score_directions
from tests.trainers.whole import edge_of, edges_of, scores_of


def test_the_edge_is_over_the_best_baseline_by_hand():
    up = [1, 1, 0]
    ours = score_directions(up, [0.8, 0.5, 0.4])
    baselines = {
        "majority": score_directions(up, [0.5, 0.5, 0.5]),
        "reversal": score_directions(up, [0.1, 0.1, 0.9]),
    }
    edge = edge_of(ours, baselines)
    assert (edge.baseline, edge.bars) == ("majority", 3)
    assert edge.saved.value == pytest.approx((3 * math.log(2) + math.log(0.8 * 0.5 * 0.6)) / 3)


def test_only_bars_that_both_scored_are_compared():
    up = [1, 1, 0, 0]
    ours = score_directions(up, [np.nan, 0.8, 0.2, 0.2])
    edge = edge_of(ours, {"late": score_directions(up, [0.01, 0.5, 0.5, np.nan])})
    assert edge.bars == 2
    assert edge.saved.value == pytest.approx(math.log(2) + math.log(0.8))


def test_a_baseline_that_scored_few_of_our_bars_is_not_the_best_by_luck():
    up = [1, 1, 0, 0, 1]
    ours = score_directions(up, [0.6] * 5)
    lucky = score_directions(up, [0.99, 0.99, np.nan, np.nan, np.nan])
    assert edge_of(ours, {"lucky": lucky}) is None
    assert edge_of(ours, {"lucky": lucky, "half": score_directions(up, [0.5] * 5)}).bars == 5


def test_there_is_no_edge_without_a_common_bar():
    up = [1, 0]
    silent = score_directions(up, [np.nan, np.nan])
    assert edge_of(silent, {"half": score_directions(up, [0.5, 0.5])}) is None
    assert edges_of(score_directions(up, [0.5, 0.5]), {}) == {}


def test_each_window_has_its_own_best_baseline():
    up = np.tile([1, 0], 1000)
    ours = score_directions(up, np.full(2000, 0.5))
    recent = np.arange(2000) >= 1400
    good, bad = np.where(up == 1, 0.6, 0.4), np.where(up == 1, 0.4, 0.6)
    edges = edges_of(
        ours,
        {
            "once": score_directions(up, np.where(recent, bad, good)),
            "now": score_directions(up, np.where(recent, good, bad)),
        },
    )
    assert {name: edge.baseline for name, edge in edges.items()} == {
        "live/edge": "once",
        "live/10m/edge": "now",
        "live/1h/edge": "once",
    }
    assert edges["live/10m/edge"].bars == 600
    assert edges["live/10m/edge"].saved.value == pytest.approx(math.log(0.5 / 0.6))


def test_the_interval_is_that_of_paired_differences():
    # Both are wrong together, so their difference is known better than either's log-loss.
    rng = np.random.default_rng(1)
    up = rng.random(2000) < 0.5
    other = np.clip(0.5 + 0.4 * rng.standard_normal(2000), 0.05, 0.95)
    ours = score_directions(up, 0.98 * other + 0.01)
    edge = edge_of(ours, {"other": score_directions(up, other)})
    alone = scores_of(ours, 0.0)["live/log_loss_ci"]
    assert 0 < edge.saved.half_width < alone / 5


def test_the_edge_agrees_with_the_log_losses_beside_it():
    rng = np.random.default_rng(2)
    up = rng.random(300) < 0.5
    ours, other = (score_directions(up, rng.random(300)) for _ in range(2))
    losses = [scores_of(side, 0.0)["live/log_loss"] for side in (other, ours)]
    found = edge_of(ours, {"other": other}).saved.value
    assert found == pytest.approx(losses[0] - losses[1])
    assert ours.moves.bar[1] == SECOND

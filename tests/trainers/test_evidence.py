from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.ledger_rows import score_directions
from trainers.scoring.evidence import Evidence, better_brier, judge_canary

RUNS, PEEKS = 600, 2000
SIZES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
DIFFERENCES = st.lists(st.floats(-1, 1), max_size=50)


def evidence_of(*parts):
    evidence = Evidence()
    for part in parts:
        evidence.bet(np.array(part))
    return evidence


def share_that_reaches(alpha, differences):
    return np.mean([evidence_of(run).reaches(alpha) for run in differences])


@given(DIFFERENCES)
def test_it_is_the_mean_wealth_of_a_gambler_with_several_stakes(differences):
    wealth, highest = dict.fromkeys(SIZES, 1.0), 1.0
    for d in differences:
        for size in SIZES:
            wealth[size] *= 1 + size * d
        highest = max(highest, np.mean(list(wealth.values())))
    evidence = evidence_of(differences)
    assert np.exp(evidence.log_value) == pytest.approx(np.mean(list(wealth.values())))
    assert np.exp(evidence.log_peak) == pytest.approx(highest)


@given(DIFFERENCES, st.integers(0, 50))
def test_how_bars_are_grouped_changes_no_bit(differences, cut):
    once, twice = evidence_of(differences), evidence_of(differences[:cut], differences[cut:])
    assert (once.log_value, once.log_peak, once.bars) == (
        twice.log_value, twice.log_peak, twice.bars,
    )  # fmt: skip


def test_under_the_null_few_runs_ever_cross_however_often_one_looks():
    rng = np.random.default_rng(0)
    discordant = rng.choice([-1.0, 0.0, 1.0], (RUNS, PEEKS), p=[0.15, 0.7, 0.15])
    assert share_that_reaches(0.05, discordant) <= 0.05


def test_under_a_null_that_depends_on_what_came_before_few_cross():
    # The size of the next difference follows the last ones; its mean stays 0.
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], (RUNS, PEEKS))
    run_up = np.cumsum(signs, axis=1) - signs
    assert share_that_reaches(0.05, np.where(run_up > 0, 1.0, 0.1) * signs) <= 0.05


def test_a_true_edge_crosses():
    rng = np.random.default_rng(2)
    better = rng.choice([-1.0, 0.0, 1.0], (100, PEEKS), p=[0.1, 0.7, 0.2])
    assert share_that_reaches(0.05, better) >= 0.95


def test_once_crossed_it_stays_crossed():
    evidence = evidence_of(np.ones(50), -np.ones(500))
    assert evidence.log_value < 0
    assert evidence.reaches(0.05)


def test_a_day_of_sure_wins_or_losses_does_not_overflow():
    won, lost = evidence_of(np.ones(86_400)), evidence_of(-np.ones(86_400))
    assert np.isfinite([won.log_value, lost.log_value]).all()
    assert won.reaches(1e-300)
    assert not lost.reaches(0.5)


def test_brier_differences_by_hand():
    ours = score_directions([1, 0, 1], [0.8, 0.5, np.nan])
    other = score_directions([1, 0, 1], [0.5, 0.5, 0.9])
    assert better_brier(ours, other).tolist() == pytest.approx([0.25 - 0.04, 0])


def canary_of(knows, seed=3):
    rng = np.random.default_rng(seed)
    up = rng.random(3600) < 0.55
    said = np.where(rng.random(3600) < knows, up, rng.random(3600) < 0.5)
    majority = score_directions(up, np.full(3600, 0.55))
    return judge_canary(score_directions(up, 0.3 + 0.4 * said), majority)


def test_a_canary_at_chance_is_no_alarm():
    verdicts = [canary_of(knows=0.0, seed=seed) for seed in range(20)]
    assert not any(verdict.alarm for verdict in verdicts)
    assert verdicts[0].bars == 3600


def test_a_canary_that_knows_a_part_of_the_labels_is_an_alarm():
    verdict = canary_of(knows=0.6)
    assert verdict.alarm
    assert verdict.log_evidence > np.log(1000)

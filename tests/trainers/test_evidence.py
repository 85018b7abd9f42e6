from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.ledger_rows import score_directions
from tests.trainers.whole import judge_control
from trainers.scoring.promotion.differences import by_brier
from trainers.scoring.promotion.eprocess import SIZES, Evidence

relaxed = settings(deadline=None)  # the machine may be busy with others
RUNS, PEEKS = 600, 2000
DIFFERENCES = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0, 1)).map(lambda bar: (bar[0] * bar[1], bar[1])),
    max_size=50,
)
CHANCE = st.floats(0, 1)


def evidence_of(*parts):
    """The evidence of (better, most) bars, or of differences that could have been 1."""
    evidence = Evidence()
    for part in parts:
        bars = np.array(part, float)
        better, most = bars.reshape(-1, 2).T if bars.ndim != 1 else (bars, np.ones(len(bars)))
        evidence.bet(better, most)
    return evidence


def paths_of(differences):
    return [Evidence().bet(run, np.ones(len(run))) for run in differences]


def share_that_reaches(alpha, differences):
    return np.mean([path.max() >= -np.log(alpha) for path in paths_of(differences)])


def staked_at(bar):
    """Half at once; of the rest, half within two hours, three quarters within six, ..."""
    return 0.5 if bar == 0 else 0.5 * (7200 / (7200 + bar - 1) - 7200 / (7200 + bar))


def size_of(bet, most):
    return min(bet, 0.9 / most) if most > 0 else bet


@relaxed
@given(DIFFERENCES)
def test_it_is_the_money_of_a_gambler_who_stakes_it_bit_by_bit(bars):
    idle, wealth, path = 1.0, dict.fromkeys(SIZES, 0.0), [1.0]
    for bar, (d, most) in enumerate(bars):
        idle -= staked_at(bar)
        for bet in SIZES:
            wealth[bet] += staked_at(bar) / len(SIZES)
            wealth[bet] *= 1 + size_of(bet, most) * d
        path.append(idle + sum(wealth.values()))
    evidence = Evidence()
    log_values = evidence.bet(*np.array(bars).reshape(-1, 2).T)
    assert np.exp(log_values) == pytest.approx(path[1:])
    assert np.exp(evidence.log_value) == pytest.approx(path[-1])
    assert np.exp(evidence.log_peak) == pytest.approx(max(path))


@relaxed
@given(DIFFERENCES, st.integers(0, 50))
def test_how_bars_are_grouped_changes_no_bit(bars, cut):
    once, twice = evidence_of(bars), evidence_of(bars[:cut], bars[cut:])
    assert (once.log_value, once.log_peak, once.bars, once.rate) == (
        twice.log_value, twice.log_peak, twice.bars, twice.rate,
    )  # fmt: skip


@relaxed
@given(DIFFERENCES, st.integers(0, 50))
def test_what_comes_later_changes_no_bit_of_the_path_before(bars, cut):
    better, most = np.array(bars).reshape(-1, 2).T
    early = Evidence().bet(better[:cut], most[:cut])
    assert Evidence().bet(better, most)[:cut].tolist() == early.tolist()


@relaxed
@given(DIFFERENCES, CHANCE, CHANCE, CHANCE)
def test_no_bar_adds_to_it_in_expectation_unless_ours_is_better(bars, p, q, lean):
    # Ours is not better if what comes is as likely as the mean of both says, or on q's side of it.
    middle = (p + q) / 2
    up = middle + lean * (1 - middle) if q > p else middle * (1 - lean)
    after = 0.0
    for came, chance in ((1, up), (0, 1 - up)):
        found = by_brier(score_directions([came], [p]), score_directions([came], [q]))
        evidence = evidence_of(bars)
        after += chance * np.exp(evidence.bet(found.better, found.most)[-1])
    assert after <= np.exp(evidence_of(bars).log_value) * (1 + 1e-9)


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


def test_evidence_of_a_true_edge_reaches_its_threshold():
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


def test_who_becomes_better_after_hours_of_being_worse_is_found():
    rng = np.random.default_rng(4)
    worse, better = rng.normal(-0.1, 0.3, (20, 14_400)), rng.normal(0.1, 0.3, (20, 600))
    runs = np.clip(np.concatenate([worse, better], axis=1), -1, 1)
    assert share_that_reaches(0.05, runs) >= 0.95


def test_no_stake_is_lost_at_once():
    worst = np.array([1e-300, 0.01, 0.3, 0.9, 1.0])
    assert np.isfinite(Evidence().bet(-worst, worst)).all()


def test_its_rate_is_that_of_the_best_size():
    evidence = evidence_of([(0.1, 0.1), (0.1, 0.1)])
    assert evidence.rate == pytest.approx(np.log(1 + 2 * 0.1))
    assert evidence_of([(-0.1, 0.1)]).rate < 0
    assert Evidence().rate == 0


def control_of(knows, seed=3):
    rng = np.random.default_rng(seed)
    up = rng.random(3600) < 0.55
    said = np.where(rng.random(3600) < knows, up, rng.random(3600) < 0.5)
    majority = score_directions(up, np.full(3600, 0.55))
    return judge_control(score_directions(up, 0.3 + 0.4 * said), majority)


def test_a_control_at_chance_is_no_alarm():
    verdicts = [control_of(knows=0.0, seed=seed) for seed in range(20)]
    assert not any(verdict.alarm for verdict in verdicts)
    assert verdicts[0].bars == 3600


def test_a_control_that_knows_a_part_of_the_labels_is_an_alarm():
    verdict = control_of(knows=0.6)
    assert verdict.alarm
    assert verdict.log_evidence > np.log(1000)

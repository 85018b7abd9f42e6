from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.learners.cnn.mixing import SHARE, STEP, log_weights_after


def even(k):
    return np.log(np.full(k, 1 / k))


def mixture_losses(said, up, log_weights):
    """Log-loss of the mixture at each bar, its trust updated after it."""
    losses = []
    for at in range(len(up)):
        p = float(said[at] @ np.exp(log_weights))
        losses.append(-math.log(p if up[at] else 1 - p))
        log_weights = log_weights_after(log_weights, said[at : at + 1], up[at : at + 1])
    return np.array(losses)


@st.composite
def forecasts(draw):
    """What some forecasters said, and what came; from all alike to far apart."""
    n, k = draw(st.integers(1, 80)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    said = rng.beta(*[draw(st.sampled_from([0.1, 1.0, 20.0]))] * 2, (n, k)).clip(0.001, 0.999)
    followed = said[np.arange(n), draw(st.integers(0, k - 1))]  # one may even be right
    up = rng.random(n) < draw(st.sampled_from([followed, 1 - followed, np.full(n, 0.5)]))
    return said, up


@settings(deadline=None, max_examples=80)
@given(forecasts())
def test_the_mixture_loses_at_most_ln_k_a_step_and_the_cost_of_sharing_more_than_the_best(drawn):
    said, up = drawn
    n, k = said.shape
    each = -np.log(np.where(up[:, None], said, 1 - said)).sum(0)
    sharing = -n * math.log(1 - SHARE)
    bound = each.min() + (math.log(k) + sharing) / STEP
    assert mixture_losses(said, up, even(k)).sum() <= bound + 1e-9


@settings(deadline=None, max_examples=40)
@given(forecasts())
def test_many_bars_at_once_are_the_same_as_one_by_one(drawn):
    said, up = drawn
    start = even(said.shape[1])
    one_by_one = start
    for at in range(len(up)):
        one_by_one = log_weights_after(one_by_one, said[at : at + 1], up[at : at + 1])
    np.testing.assert_allclose(log_weights_after(start, said, up), one_by_one, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(forecasts(), st.floats(-30, 30))
def test_trust_adds_up_to_one_and_none_is_ever_lost(drawn, shift):
    said, up = drawn
    k = said.shape[1]
    trust = np.exp(log_weights_after(even(k) + shift, said, up))
    assert trust.sum() == pytest.approx(1)
    assert trust.min() >= SHARE / k * (1 - 1e-9)


def test_it_is_a_part_of_the_step_of_bayes_rule_with_a_share_given_back_by_hand():
    trust = np.exp(log_weights_after(even(2), np.array([[0.8, 0.4]]), np.array([False])))
    after = 0.5 * (1 - STEP) + STEP * np.array([0.2, 0.6]) / 0.8
    assert trust == pytest.approx((1 - SHARE) * after + SHARE / 2)


def test_no_bar_leaves_the_trust_as_it_was():
    before = np.log([0.7, 0.2, 0.1])
    after = log_weights_after(before, np.zeros((0, 3)), np.zeros(0, bool))
    assert np.exp(after) == pytest.approx([0.7, 0.2, 0.1])


def test_it_follows_when_another_becomes_the_best():
    rng = np.random.default_rng(0)
    n, turn = 6_000, 3_000
    said = np.tile([0.66, 0.34], (n, 1))  # 0.055 nats a bar better than one half, or worse
    up = rng.random(n) < np.where(np.arange(n) < turn, 0.66, 0.34)
    before = log_weights_after(even(2), said[:turn], up[:turn])
    after = log_weights_after(before, said[turn : turn + 900], up[turn : turn + 900])
    assert np.exp(before)[0] > 0.99
    assert np.exp(after)[1] > 0.99
    lost = mixture_losses(said, up, even(2)).sum()
    best = -np.log(np.where(up, 0.66, 0.34))[:turn].sum()
    best += -np.log(np.where(up, 0.34, 0.66))[turn:].sum()
    # M. Herbster and M. Warmuth: a switch costs ln K for the choice and the surprise of a share.
    cost = 2 * math.log(2) - math.log(SHARE) - n * math.log(1 - SHARE)
    assert lost <= best + cost / STEP


def test_a_forecast_that_was_certain_and_wrong_costs_much_but_not_everything():
    trust = np.exp(log_weights_after(even(2), np.array([[0.0, 0.5]]), np.array([True])))
    assert np.isfinite(trust).all()
    assert trust[0] == pytest.approx(0.5 * (1 - STEP), rel=0.01)


def test_two_that_err_differently_are_trusted_together_and_beat_each():
    rng = np.random.default_rng(0)
    n = 4_000
    known = rng.choice([0.3, 0.7], (n, 2))  # each knows one of two independent causes
    odds = np.log(known / (1 - known)).sum(1)
    up = rng.random(n) < 1 / (1 + np.exp(-odds))
    trust = np.exp(log_weights_after(even(2), known, up))
    assert trust.min() > 0.2
    each = -np.log(np.where(up[:, None], known, 1 - known)).mean(0)
    assert mixture_losses(known, up, even(2)).mean() < each.min() - 0.02


def test_nobody_right_leaves_the_trust_even():
    trust = log_weights_after(even(3), np.zeros((4, 3)), np.ones(4, bool))
    assert np.exp(trust) == pytest.approx(1 / 3)

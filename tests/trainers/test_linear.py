from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from tests.datamodules.samples import drawn, logistic
from trainers.learners.linear import FEWEST_ROWS, RIDGE, fit_logistic, step_from


def penalised(x, up, weights, bias):
    """What is to be lowest: total log-loss and half the ridge times the squared weights."""
    z = np.where(up, 1, -1) * (x @ weights + bias)
    return np.logaddexp(0, -z).sum() + RIDGE / 2 * weights @ weights


@settings(deadline=None, max_examples=25)
@given(st.integers(30, 400), st.integers(1, 14), st.integers(0, 999), st.sampled_from([0, 1, 9]))
def test_the_gradient_of_the_penalised_loss_is_zero_where_it_ends(n, d, seed, strength):
    x, up = drawn(n, d, seed, strength)
    if up.all() or not up.any():
        return
    weights, bias = fit_logistic(x, up)
    residual = logistic(x @ weights + bias) - up
    assert np.abs(x.T @ residual + RIDGE * weights).max() < 2e-3 * n
    assert abs(residual.sum()) < 2e-3 * n  # the bias has no ridge


def test_no_weights_nearby_are_better():
    x, up = drawn(500, 6, seed=1)
    weights, bias = fit_logistic(x, up)
    rng = np.random.default_rng(0)
    best = penalised(x, up, weights, bias)
    for step in 0.02 * rng.standard_normal((50, 7)):
        assert penalised(x, up, weights + step[:6], bias + step[6]) > best


def test_it_agrees_with_another_solver_of_scikit_learn():
    x, up = drawn(700, 9, seed=2)
    weights, bias = fit_logistic(x, up)
    exact = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", tol=1e-10).fit(x, up)
    np.testing.assert_allclose(weights, exact.coef_[0], atol=2e-3)
    assert bias == pytest.approx(exact.intercept_[0], abs=2e-3)


def test_it_finds_what_the_rows_were_drawn_from():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((40_000, 3))
    up = rng.random(len(x)) < logistic(x @ np.array([0.5, -0.2, 0.0]) + 0.1)
    weights, bias = fit_logistic(x, up)
    assert weights == pytest.approx([0.5, -0.2, 0.0], abs=0.05)
    assert bias == pytest.approx(0.1, abs=0.05)


def test_up_is_the_direction_of_the_weights():
    x = np.linspace(-1, 1, 100)[:, None]
    weights, bias = fit_logistic(x, x[:, 0] > 0)
    assert weights[0] > 1
    assert bias == pytest.approx(0, abs=0.01)


def test_a_column_that_never_moves_gets_no_weight():
    x, up = drawn(200, 3, seed=4)
    x[:, 1] = 0.0
    weights, _ = fit_logistic(x, up)
    assert weights[1] == 0


def test_there_is_nothing_to_fit_in_few_rows_or_in_one_direction():
    x, up = drawn(FEWEST_ROWS, 2, seed=5)
    up[:2] = [True, False]
    assert fit_logistic(x, up) is not None
    assert fit_logistic(x[1:], up[1:]) is None
    assert fit_logistic(x[:0], up[:0]) is None
    assert fit_logistic(x, np.ones(FEWEST_ROWS, bool)) is None
    assert fit_logistic(x, np.zeros(FEWEST_ROWS, bool)) is None


def test_the_same_rows_twice_give_the_same_bits():
    x, up = drawn(300, 5, seed=6)
    (weights, bias), (again, bias_again) = fit_logistic(x, up), fit_logistic(x.copy(), up.copy())
    assert weights.tobytes() == again.tobytes()
    assert bias == bias_again


def test_a_step_from_known_logits_finds_what_further_columns_add():
    rng = np.random.default_rng(4)
    known, x = rng.standard_normal(20_000), rng.standard_normal((20_000, 3))
    wanted = np.array([0.1, -0.05, 0.0])
    up = rng.random(len(x)) < logistic(known + x @ wanted)
    np.testing.assert_allclose(step_from(x, up, known, 1.0), wanted, atol=0.04)


def test_a_step_is_drawn_to_0_as_much_as_its_spread_says():
    x, up = drawn(500, 3, seed=5, strength=0.0)
    exact = LogisticRegression(C=0.06**2, fit_intercept=False, tol=1e-10).fit(x, up)
    found = step_from(x, up, np.zeros(len(x)), 0.06)
    np.testing.assert_allclose(found, exact.coef_[0], rtol=0.02)

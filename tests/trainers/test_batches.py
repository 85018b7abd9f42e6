"""Sums of any number of cases at the same cost, and what an interval of them is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.scoring import batches
from trainers.scoring.batches import Batches
from trainers.scoring.interval import half_width

CASES = st.lists(st.floats(-1e3, 1e3), max_size=300)
CUTS = st.lists(st.integers(0, 300), max_size=5)


@pytest.fixture(autouse=True, scope="module")
def few():
    """Sixteen batches at most, so that a short series fills them many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST", 16)
        yield


def parts_of(values, cuts):
    return np.split(np.array(values, float), sorted(min(cut, len(values)) for cut in cuts))


@given(CASES, CUTS)
def test_how_cases_are_grouped_changes_no_bit(values, cuts):
    once, found = Batches.of(values), Batches.none()
    for part in parts_of(values, cuts):
        found = found.plus(part)
    assert (found.size, found.n) == (once.size, len(values))
    assert found.sums.tobytes() == once.sums.tobytes()
    assert found.rest.tobytes() == once.rest.tobytes()


@given(CASES, st.lists(st.floats(-1e3, 1e3), max_size=300))
def test_it_holds_all_cases_in_few_batches(values, more):
    found = Batches.of(values).plus(more)
    assert found.sums.shape[1] < 16
    assert found.rest.shape[1] < found.size
    assert found.total() == pytest.approx(math.fsum([*values, *more]), abs=1e-6)


def test_a_batch_is_the_sum_of_its_cases():
    found = Batches.of(np.arange(42), np.ones(42))
    assert found.size == 4
    assert found.sums.tolist() == [[6 + 16 * i for i in range(10)], [4] * 10]
    assert found.rest.tolist() == [[40, 41], [1, 1]]
    assert found.between(9, 21).sums.tolist() == [[38, 54, 70], [4] * 3]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=15))
def test_few_cases_have_the_mean_and_interval_of_all_of_them_to_the_bit(values):
    cases = np.array(values)
    assert Batches.of(cases).mean_of() == (float(cases.mean()), half_width(cases))


def test_weights_are_of_the_numbers_of_a_case():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 500))
    both, one = Batches.of(x, y), Batches.of(2 * x - y)
    assert both.width({0: 2.0, 1: -1.0}) == pytest.approx(one.width({0: 1.0}), rel=1e-12)
    assert both.weighted_sum({0: 2.0, 1: -1.0}) == pytest.approx(one.sum_of(), rel=1e-9)


def test_an_interval_from_batches_is_that_from_all_cases_but_for_little(monkeypatch):
    monkeypatch.setattr(batches, "MOST", 4096)
    rng, ratios = np.random.default_rng(1), []
    for _ in range(6):
        noise, values = rng.standard_normal(40_000), np.zeros(40_000)
        for i in range(1, 40_000):
            values[i] = 0.7 * values[i - 1] + noise[i]
        ratios.append(Batches.of(values).mean_of().half_width / half_width(values))
    assert np.abs(np.array(ratios) - 1).max() < 0.03


def test_an_interval_from_batches_holds_the_truth(monkeypatch):
    monkeypatch.setattr(batches, "MOST", 256)
    rng, held = np.random.default_rng(2), []
    for _ in range(400):
        noise = rng.standard_normal(3005)
        values = sum(noise[lag : 3000 + lag] for lag in range(5)) / 5  # a moving mean of five
        value, width = Batches.of(values).mean_of()
        held.append(abs(value) <= width)
    assert 0.91 <= np.mean(held) <= 0.98

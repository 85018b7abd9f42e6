"""In how many markets a learner is proven better, and how many of these falsely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.scoring.promotion.discoveries import discoveries, log_e_of_best
from trainers.scoring.promotion.eprocess import Evidence

EVIDENCE = st.dictionaries(st.text(max_size=3), st.floats(-20, 20), max_size=30)
FDRS = st.floats(0.01, 0.5)


@given(EVIDENCE, FDRS)
def test_they_are_the_most_markets_whose_average_claim_the_evidence_bears(log_values, fdr):
    found = discoveries(log_values, fdr)
    enough = [
        k
        for k in range(1, len(log_values) + 1)
        if sum(v >= math.log(len(log_values) / (fdr * k)) for v in log_values.values()) >= k
    ]
    assert len(found) == max(enough, default=0)
    left = [value for market, value in log_values.items() if market not in found]
    assert all(log_values[market] >= max(left, default=-math.inf) for market in found)


@given(EVIDENCE, FDRS, st.floats(0, 5))
def test_more_evidence_never_takes_a_market_away(log_values, fdr, more):
    found = discoveries(log_values, fdr)
    stronger = {name: v + more * (name in found) for name, v in log_values.items()}
    assert set(found) <= set(discoveries(stronger, fdr))


@given(st.floats(-20, 20), FDRS)
def test_one_market_is_the_test_of_ville(log_e, fdr):
    assert discoveries({"BTC": log_e}, fdr) == (["BTC"] if log_e >= -math.log(fdr) else [])


def test_without_markets_there_is_no_discovery():
    assert discoveries({}) == []


def test_to_be_better_than_the_best_is_to_be_better_than_each():
    assert log_e_of_best([2.0, -1.0, 3.0]) == -1.0


def false_share(found, nulls):
    return len(set(found) & nulls) / max(len(found), 1)


@pytest.mark.parametrize("common", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("known", [0, 10])
def test_few_discoveries_are_false_however_markets_depend_on_each_other(common, known):
    # E-values of which the mean is 1 exactly and the tail as fat as it can be: .5 / sqrt(uniform);
    # in a share ``common`` of the rounds it is one and the same for all markets without a truth.
    rng = np.random.default_rng(int(10 * common) + known)
    nulls, shares = {str(i) for i in range(20)}, []
    for _ in range(4000):
        drawn = rng.random(20) if rng.random() >= common else np.full(20, rng.random())
        log_values = {str(i): math.log(0.5) - 0.5 * math.log(u) for i, u in enumerate(drawn)}
        log_values |= {f"true {i}": 6.0 for i in range(known)}
        shares.append(false_share(discoveries(log_values, 0.2), nulls))
    assert np.mean(shares) <= 0.2


def test_the_e_processes_of_markets_that_move_together_name_few_false_ones():
    # Ten markets in which nothing can be known, ten in which it can; all share the market's moves.
    rng = np.random.default_rng(3)
    nulls, shares, right = {str(i) for i in range(10)}, [], []
    for _ in range(60):
        together = rng.choice([-1.0, 1.0], 1500)
        log_values = {}
        for i in range(20):
            own = rng.choice([-1.0, 1.0], 1500)
            signs = np.where(rng.random(1500) < 0.8, together, own)
            better = 0.3 * np.clip(signs + 0.35 * (i >= 10), -1, 1)
            evidence = Evidence()
            evidence.bet(better, np.full(1500, 0.5))
            log_values[str(i)] = evidence.log_value
        found = discoveries(log_values)
        shares.append(false_share(found, nulls))
        right.append(len(set(found) - nulls) / 10)
    assert np.mean(shares) <= 0.05
    assert np.mean(right) > 0.8

from __future__ import annotations

import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from streaming.program.backoff import ConnectBudget, full_jitter


@given(st.integers(), st.floats(0.01, 5), st.floats(5, 100))
def test_delays_stay_within_a_limit_that_doubles_up_to_the_cap(seed, base, cap):
    delays = list(islice(full_jitter(random.Random(seed), base=base, cap=cap), 20))
    for i, delay in enumerate(delays):
        assert 0 <= delay <= min(cap, base * 2**i)


def test_delays_use_the_whole_range_up_to_the_cap():
    delays = list(islice(full_jitter(random.Random(1)), 2000))[10:]
    assert min(delays) < 0.5
    assert 29.5 < max(delays) <= 30
    assert 14 < sum(delays) / len(delays) < 16


def test_the_same_generator_gives_the_same_delays():
    first, second = (list(islice(full_jitter(random.Random(3)), 5)) for _ in range(2))
    assert first == second


@given(
    st.integers(1, 5),
    st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_never_more_attempts_in_a_window_than_the_budget(limit, pauses):
    budget, now, attempts = ConnectBudget(limit, window=10.0), 0.0, []
    for pause in pauses:
        now += pause
        now += budget.wait(now)
        budget.spend(now)
        attempts.append(now)
    for first, later in zip(attempts, attempts[limit:], strict=False):
        assert later - first >= 10.0 - 1e-9


def test_a_fresh_budget_lets_attempts_pass_and_then_says_how_long_to_wait():
    budget = ConnectBudget(limit=2, window=300.0)
    assert budget.wait(0.0) == 0.0
    budget.spend(0.0)
    budget.spend(100.0)
    assert budget.wait(100.0) == 200.0
    assert budget.wait(299.0) == 1.0
    assert budget.wait(300.0) == 0.0

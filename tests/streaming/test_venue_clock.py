from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.ticks import NS_PER_MS, NS_PER_S
from streaming.venue_clock import VenueClock, midpoint

NOW = 1_700_000_000 * NS_PER_S


def test_the_venue_answers_halfway_between_request_and_reply():
    clock = midpoint(NOW, NOW + 20 * NS_PER_MS, NOW + 500 * NS_PER_MS, 1.0)
    assert clock == VenueClock(NOW + 10 * NS_PER_MS, NOW + 500 * NS_PER_MS, 1.0)


@pytest.mark.parametrize("offset_s", [-1.27, 0, 3600])
def test_lag_does_not_depend_on_how_wrong_our_clock_is(offset_s):
    clock = VenueClock(NOW, NOW + int(offset_s * NS_PER_S), 1.0)
    traded = clock.venue + 2 * NS_PER_S
    assert clock.lag_us(traded, NOW + 2 * NS_PER_S + 7 * NS_PER_MS) == pytest.approx(7000, abs=1)


def test_lag_at_ten_times_speed_is_in_our_own_time():
    clock = VenueClock(NOW, NOW, 10.0)
    assert clock.lag_us(NOW + 10 * NS_PER_S, NOW + NS_PER_S) == 0
    assert clock.lag_us(NOW + 10 * NS_PER_S, NOW + NS_PER_S + NS_PER_MS) == pytest.approx(
        1000, abs=1
    )


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.floats(0.01, 1000))
def test_lag_is_never_negative(event, init, rate):
    assert VenueClock(NOW, NOW, rate).lag_us(NOW + event, NOW + init) >= 0
